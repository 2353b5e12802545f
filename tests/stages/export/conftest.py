"""A finished small run: fields with and without cells, three classes."""

import pytest

from cellwise.testing.runs import CLASSES, labels_of, site, write_small_run


@pytest.fixture
def run(tmp_path):
    """Four fields, the last two for testing; the second and the fourth are empty."""
    return write_small_run(tmp_path / "run")


@pytest.fixture
def make_run(tmp_path):
    """Makes a run from (site id, part) pairs; `drop` leaves out columns of the predictions."""

    def make(*sites, drop=()):
        return write_small_run(tmp_path / "run", [site(*entry) for entry in sites], drop=drop)

    return make


@pytest.fixture
def classes():
    return CLASSES


@pytest.fixture
def true_labels():
    """The label image of a site, by id."""
    return labels_of
