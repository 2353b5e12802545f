"""The map of cells of `cellwise view` in a real browser."""

import re

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser


@pytest.fixture
def cells_map(visit, address):
    visit.page.goto(f"{address}/map?token=secret")
    playwright.expect(visit.page.locator("#view[data-settled=true]")).to_be_attached(timeout=15_000)
    return visit


def test_a_line_around_points_leads_to_their_cells(cells_map, address):
    page = cells_map.page
    playwright.expect(page.locator("#count")).to_have_text("108 cells by measured features")
    box = page.locator("#canvas").bounding_box()
    x, y, wide, tall = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + 5, y + 5)
    page.mouse.down()
    for right, down in ((wide / 2, 5), (wide / 2, tall - 5), (5, tall - 5), (5, 5)):
        page.mouse.move(x + right, y + down, steps=4)
    page.mouse.up()
    words = page.locator("#chosen-words b")
    playwright.expect(words).to_contain_text("chosen")
    count = int(words.inner_text().split()[0])
    assert 0 < count < 108
    page.get_by_role("link", name="Show them").click()
    playwright.expect(page.locator("#count")).to_contain_text(f"of {count} (108 in the run)")
    assert cells_map.errors == []
    assert [url for url in cells_map.requests if not url.startswith((address, "data:"))] == []


def test_without_a_mouse_at_the_size_of_a_telephone(cells_map):
    page = cells_map.page
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == "view":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#chosen-words b")).to_contain_text("chosen")
    playwright.expect(page).to_have_url(re.compile("within="))
    assert cells_map.errors == []


def test_umap_is_said_to_be_missing_and_how_to_get_it(visit, address, monkeypatch):
    for place in ("cellwise.app.view.data.scatter", "cellwise.app.view.routes.maps"):
        monkeypatch.setattr(f"{place}.installed", lambda: False)
    page = visit.page
    page.goto(f"{address}/map?token=secret&layout=umap")
    playwright.expect(page.locator("#layout-state")).to_contain_text("cellwise[umap]")
    playwright.expect(page.locator("#count")).to_have_text("108 cells by measured features")
    page.locator("select[name=layout]").select_option("")
    playwright.expect(page.locator("#layout-state")).to_be_hidden()
    assert visit.errors == []


@pytest.mark.slow
def test_umap_is_computed_behind_the_page_and_shown_when_it_is_done(cells_map):
    pytest.importorskip("umap", reason="the extra umap is not installed")
    page = cells_map.page
    page.locator("select[name=layout]").select_option("umap")
    playwright.expect(page.locator("#layout-state")).to_contain_text("UMAP lays out")
    playwright.expect(page.locator("#count")).to_have_text("108 cells by measured features")
    playwright.expect(page.locator("#count")).to_have_text(
        "108 cells by measured features (UMAP)", timeout=240_000
    )
    playwright.expect(page.locator("#layout-state")).to_be_hidden()
    page.locator("#choose").click()
    playwright.expect(page.locator("#chosen-words b")).to_have_text("108 cells chosen")
    page.get_by_role("link", name="Show them").click()
    playwright.expect(page.locator("#count")).to_contain_text("108")
    assert cells_map.errors == []
