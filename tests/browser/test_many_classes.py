"""A run of 1,108 classes clicked through: cells, desk, map, field and report."""

import re

import pytest
from tests.browser.conftest import can_judge, served, writer
from tests.browser.many_classes import NAMES, with_many_classes

from cellwise.app.api import open_run
from cellwise.store.annotations.saves import annotations

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def search(page, label, typed):
    """Type into the list of classes of this name, and leave it."""
    box = page.get_by_label(f"{label}, type to search {len(NAMES) + (label != 'Class')}")
    box.fill(typed)
    box.press("Tab")
    return box


def test_classes_are_found_by_typing_on_every_page(visit, tmp_path):
    made = writer().write_run(tmp_path)
    run = with_many_classes(made.run, tmp_path / "many.run")
    page = visit.page
    with served(run.path, edit=True) as address:
        page.goto(f"{address}/cells?token=secret")
        playwright.expect(page.locator("#count")).to_contain_text("Cells 1 to")
        # The whole name whatever the case, or a part that only one class has.
        search(page, "Most likely class", "sirna 0770")
        playwright.expect(page.locator("#count")).to_contain_text("of 1 (108 in the run)")
        assert "likeliest=siRNA+0770" in page.url
        search(page, "Most likely class", "any")
        playwright.expect(page.locator("#count")).to_contain_text("of 108")
        box = search(page, "Class", "107")
        # Eleven classes hold that: which one is meant is asked for, and nothing changes.
        assert "Choose one of 1108" in box.evaluate("(one) => one.validationMessage")
        assert "class=" not in page.url
        search(page, "Class", "1070")
        playwright.expect(page).to_have_url(re.compile(re.escape("class=siRNA+1070")))
        # The desk asks for the class that was found, and takes others by their names.
        page.locator("#judge").click()
        page.locator("#who-word").fill("ann")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#desk")).to_contain_text("Shows siRNA 1070?")
        can_judge(page)
        page.locator("#gallery").focus()
        page.keyboard.press("1")
        playwright.expect(page.locator("#desk-note")).to_contain_text("1 cell", timeout=15_000)
        page.goto(f"{address}/map?by=probability")
        playwright.expect(page.locator("#view[data-settled=true]")).to_be_attached(timeout=15_000)
        search(page, "Class", "siRNA 0500")
        playwright.expect(page).to_have_url(re.compile(re.escape("class=siRNA+0500")))
        page.goto(f"{address}/fields?by=share")
        search(page, "Class", "siRNA 0010")
        playwright.expect(page.locator("main")).to_contain_text("Share of cells given siRNA 0010")
        page.goto(f"{address}/field?by=probability")
        playwright.expect(page.locator("#view[data-settled=true]")).to_be_attached(timeout=15_000)
        search(page, "Class", "siRNA 0020")
        playwright.expect(page.locator("#legend")).to_contain_text("Probability of siRNA 0020")
        # Not a page that a browser scrolls through for ever: 1,108 rows are folded.
        open_run(run.path).rebuild_report()
        page.goto(f"{address}/")
        playwright.expect(page.locator("h1").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollHeight") < 40_000
        page.goto("about:blank")
    assert visit.errors == []
    said = annotations(run)
    assert said.select("class", "verdict").rows() == [("siRNA 1070", "yes")]
