"""One tiny plate, run once and shared by all tests of recipes."""

import pytest
from tests.plates import QUICK, treated, write_labels, write_plate
from tests.worlds import wells

import cellwise


@pytest.fixture(scope="session")
def plate(tmp_path_factory):
    """Ten wells, eight of them labelled, and one with a torn file."""
    home = tmp_path_factory.mktemp("plate")
    names = wells(11)
    write_plate(home / "images", names, nuclear=treated)
    torn = home / "images" / "A11_gfp.png"
    torn.write_bytes(torn.read_bytes()[:-40])
    write_labels(home / "labels.csv", names, unlabelled=("A09", "A10"))
    return home


@pytest.fixture(scope="session")
def finished(plate):
    """The plate after `plate-quick`."""
    return cellwise.run(
        plate / "images", labels=plate / "labels.csv", out=plate / "run", settings=QUICK, seed=3
    )
