"""The files that pages are made of."""

import re
from pathlib import Path

import pytest

import cellwise.app.view as view

STATIC = Path(view.__file__).parent / "static"
PAGES = sorted(path.stem for path in STATIC.glob("*.html"))


def imports(name):
    """The modules that one needs, and those that they need."""
    found = set()
    for other in re.findall(r'from "\./([\w-]+\.js)"', (STATIC / name).read_text()):
        found |= {other} | imports(other)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_all_modules_of_a_page_are_asked_for_at_once(page):
    text = (STATIC / f"{page}.html").read_text()
    preloaded = re.findall(r'rel="modulepreload" href="/static/([\w-]+\.js)"', text)
    assert sorted(preloaded) == sorted(imports(f"{page}.js"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_script_or_style_of_its_own_and_leads_to_all_others(page):
    text = (STATIC / f"{page}.html").read_text()
    assert not re.search(r"style=|onclick=|<style|<script(?! type=\"module\" src=)", text)
    assert re.findall(r'<a href="/(\w+)"', text) == ["fields", "cells", "map", "exports"]


def test_only_one_module_fetches_and_none_writes_html():
    for path in STATIC.glob("*.js"):
        text = path.read_text()
        assert ("fetch(" in text) == (path.name == "api.js"), path.name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_files_stay_small():
    for path in STATIC.glob("*.js"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 420, f"{path.name} has {len(lines)} lines"
