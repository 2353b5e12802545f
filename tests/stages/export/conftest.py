"""A finished small run: fields with and without cells, three classes."""

import pytest

from cellwise.testing.runs import labels_of, site, write_small_run


@pytest.fixture
def run(tmp_path, classes):
    """Four fields, the last two for testing; the second and the fourth are empty."""
    return write_small_run(tmp_path / "run", classes=classes)


@pytest.fixture
def make_run(tmp_path, classes):
    """Makes a run from (site id, part) pairs; `drop` leaves out columns of the predictions."""

    def make(*sites, drop=()):
        rows = [site(*entry) for entry in sites]
        return write_small_run(tmp_path / "run", rows, drop=drop, classes=classes)

    return make


@pytest.fixture
def classes():
    return "Golgi / ER", "Cytosol", "Negative"


@pytest.fixture
def true_labels():
    """The label image of a site, by id."""
    return labels_of
