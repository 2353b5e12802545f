"""A plate under other stain names, in folders by class, gives the results of the plate itself."""

import polars as pl
import pytest
from tests.plates import QUICK
from tests.worlds import draw, save, wells

import cellwise
from cellwise.flow.check import check_folder

pytestmark = [pytest.mark.long, pytest.mark.slow]

# The plate's own names, and what other laboratories call the same stains.
NAMES = {"DNA": "DAPI405", "GFP": "EGFP"}
FOREIGN = {"DNA": "Hoechst 33258", "GFP": "Protein"}
FIELDS = 8


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Eight fields, the first four with the protein outside the nucleus, in three forms."""
    home = tmp_path_factory.mktemp("foreign")
    rows = ["well,label"]
    for number, well in enumerate(wells(FIELDS)):
        label = "Cytosol" if number < FIELDS // 2 else "Nuclear"
        planes = draw(number, nuclear=number >= FIELDS // 2)
        for stain, plane in zip(NAMES, planes, strict=True):
            save(home / "plain" / f"{well}_{stain}.png", plane)
            save(home / "classes" / label / f"{well} ({FOREIGN[stain]}).png", plane)
            save(home / "folders" / NAMES[stain] / label / f"{well}.png", plane)
        rows.append(f"{well},{label}")
    (home / "labels.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    return home


def run(home, name, **more):
    return cellwise.run(
        home / name,
        out=home / f"{name}.run",
        recipe="plate-quick",
        settings=[*QUICK, "train.epochs=1"],
        seed=4,
        **more,
    )


@pytest.fixture(scope="module")
def plain(home):
    return run(home, "plain", labels=home / "labels.csv").cells


@pytest.mark.parametrize(("name", "stains"), [("classes", FOREIGN), ("folders", NAMES)])
def test_every_number_of_every_cell_is_the_same(home, plain, name, stains):
    facts = check_folder(home / name)
    assert facts["exit_code"] == 0
    roles = {channel["name"]: channel["role"] for channel in facts["channels"]}
    assert roles == {stains["DNA"]: "nucleus", stains["GFP"]: "protein"}
    cells = run(home, name).cells
    cells = cells.with_columns(pl.col("site_id").str.split("_").list.last())
    # Measurements are called by the channel; their order is that of the names.
    cells = cells.rename(dict(zip(cells.columns, plain.columns, strict=True)))
    assert len(plain) > FIELDS
    assert cells.equals(plain)
