"""What the site leaves out of the pages of the repository."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_has_the_tables_without_the_names_of_tests():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "website/hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = (ROOT / "docs/reference/failures.md").read_text(encoding="utf-8")
    shown = hooks.on_page_markdown(page)
    assert "shown by" not in shown
    assert not [row for row in shown.split("\n") if row.startswith("|") and "::test_" in row]
    rows = [row for row in shown.split("\n") if row.startswith("| `mask_key` |")]
    assert rows == [
        "| `mask_key` | an archive without an array of masks: set aside "
        "| name the array as the message says |"
    ]
    assert shown.count("\n") == page.count("\n")
