"""Exports by a button, in a real browser."""

import zipfile

import pytest
from tests.browser.conftest import served, writer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_an_export_is_made_and_downloaded(visit, tmp_path):
    made = writer().write_run(tmp_path)
    page = visit.page
    with served(made.run, edit=True) as address:
        page.goto(f"{address}/exports?token=secret")
        item = page.locator("#export-geojson")
        playwright.expect(item).to_contain_text("QuPath")
        playwright.expect(page.locator("#missing")).to_contain_text("hpa-csv")
        item.get_by_role("button", name="Make").click()
        playwright.expect(item).to_contain_text("Folder of", timeout=60_000)
        with page.expect_download() as started:
            item.get_by_role("link", name="Download as zip").click()
        with zipfile.ZipFile(started.value.path()) as archive:
            assert "geojson/plate_A01.geojson" in archive.namelist()
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert visit.errors == []


def test_viewers_see_no_buttons(visit, address):
    page = visit.page
    page.goto(f"{address}/exports?token=secret")
    playwright.expect(page.locator("#only")).to_contain_text("--edit")
    playwright.expect(page.locator("#exports li").first).to_be_visible()
    assert page.get_by_role("button").count() == 0
    assert visit.errors == []
