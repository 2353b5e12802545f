"""Every part can be read without importing it, and says where it comes from."""

from cellwise.app.cli.parts import SHELVES
from cellwise.registry import Registry


def test_parts_document_themselves():
    for shelf, package in SHELVES.items():
        registry = Registry(shelf, package)
        for name in registry.part_names():
            page = registry.page(name)
            assert page.summary.endswith("."), (shelf, name, page.summary)
            assert all(o.type != "Any" for o in page.options), f"{shelf} {name}: options are typed"
