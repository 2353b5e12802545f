"""Every part can be read without importing it, and says where it comes from."""

import pytest

from cellwise.app.cli.parts import SHELVES
from cellwise.registry import Registry

PARTS = [
    (shelf, name)
    for shelf, package in SHELVES.items()
    for name in Registry(shelf, package).part_names()
]


@pytest.mark.parametrize(("shelf", "name"), PARTS)
def test_a_part_documents_itself(shelf, name):
    page = Registry(shelf, SHELVES[shelf]).page(name)
    assert page.summary.endswith("."), page.summary
    assert all(option.type != "Any" for option in page.options), "options are typed"
