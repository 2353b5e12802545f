"""Tutorials, done word for word: what a page shows is what comes out."""

import re

import pytest
from tests.docs.shown_output import difference
from tests.docs.tutorial_pages import ROOT, TUTORIALS, blocks, do

# Blocks that are not done, by page: how many, and why.
NOT_DONE = {"on-a-cluster": ["network", "cluster"]}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_shows_what_comes(page, tmp_path, monkeypatch):
    do(page, tmp_path, monkeypatch)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_leaves_out_only_what_is_known(page):
    found = blocks(page.read_text(encoding="utf-8"))
    assert [one.not_run for one in found if one.not_run] == NOT_DONE.get(page.stem, [])
    assert any(one.kind == "output" for one in found)
    for one in found:
        # Lines left out everywhere would show nothing and compare nothing.
        assert one.kind != "output" or re.search(r"\w", one.text), (page.name, one.line)
        if one.kind == "file" and one.name.startswith("examples/"):
            kept = (ROOT / one.name).read_text(encoding="utf-8")
            assert difference(one.text, kept) == "", one.name


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_says_for_whom_how_long_and_where_next(page):
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^\*For .+?(minutes|hour).*?\*", text, re.MULTILINE | re.DOTALL)
    _, _, after = text.partition("## Where to go next\n")
    assert len(re.findall(r"\]\(\.\./", after)) + len(re.findall(r"\]\([\w-]+\.md", after)) >= 2
