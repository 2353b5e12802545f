"""The gallery of `cellwise view` in a real browser."""

import re

import pytest
from tests.browser.conftest import SUMS

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser


@pytest.fixture
def gallery(visit, address):
    visit.page.goto(f"{address}/cells?token=secret")
    visit.page.wait_for_selector(".tile")
    return visit


def has_tiles(page, number):
    """Wait until so many cells are shown; the page's own rules forbid evaluated scripts."""
    playwright.expect(page.locator(".tile")).to_have_count(number)


def count(page):
    return page.locator("#count").inner_text()


def test_it_opens_without_a_complaint_and_asks_only_its_own_server(gallery, address):
    gallery.page.wait_for_load_state("networkidle")
    assert gallery.errors == []
    assert [url for url in gallery.requests if not url.startswith((address, "data:"))] == []


def test_without_the_token_nothing_is_shown(visit, address):
    answer = visit.page.goto(f"{address}/cells")
    assert answer.status == 403


def test_it_turns_pages(gallery):
    page = gallery.page
    assert count(page) == "Cells 1 to 100 of 108"
    page.get_by_role("button", name="Next").click()
    has_tiles(page, 8)
    assert count(page) == "Cells 101 to 108 of 108"
    playwright.expect(page).to_have_url(re.compile("page=2"))
    assert page.get_by_role("button", name="Next").is_disabled()
    page.keyboard.press("PageUp")
    has_tiles(page, 100)


def test_it_filters_and_the_address_remembers(gallery):
    page = gallery.page
    page.get_by_label("Well").select_option("B03")
    has_tiles(page, 9)
    playwright.expect(page).to_have_url(re.compile("well=B03"))
    page.get_by_label("Probability from").fill("0.4")
    page.get_by_label("Probability from").press("Enter")
    playwright.expect(page.locator(".tile")).not_to_have_count(9)
    shown = page.locator(".tile b").all_inner_texts()
    assert all(float(words) >= 0.395 for words in shown)
    page.reload()
    page.wait_for_selector(".tile")
    assert page.get_by_label("Well").input_value() == "B03"
    assert page.locator(".tile").count() == len(shown)


def test_going_back_undoes_a_filter(gallery):
    page = gallery.page
    page.get_by_label("Well").select_option("A02")
    has_tiles(page, 9)
    page.go_back()
    has_tiles(page, 100)
    assert page.get_by_label("Well").input_value() == ""


def test_filters_that_no_cell_fits_say_so(gallery):
    page = gallery.page
    page.get_by_label("Uncertainty from").fill("1")
    page.get_by_label("Uncertainty from").press("Enter")
    has_tiles(page, 0)
    assert count(page) == "No cell fits these filters (108 in the run)."


def test_arrows_move_and_enter_opens_a_cell(gallery):
    page = gallery.page
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    second = page.locator(".tile").nth(1)
    playwright.expect(second).to_be_focused()
    page.keyboard.press("ArrowDown")
    playwright.expect(second).not_to_be_focused()
    page.keyboard.press("Enter")
    card = page.locator("#card")
    card.wait_for(state="visible")
    assert "Calibration: weak" in card.inner_text()
    playwright.expect(page).to_have_url(re.compile("#cell="))
    page.keyboard.press("Escape")
    playwright.expect(page).not_to_have_url(re.compile("#cell="))


def test_an_address_with_a_cell_opens_that_cell(visit, address):
    visit.page.goto(f"{address}/cells?token=secret&well=B01#cell=plate_A04/3")
    visit.page.wait_for_selector("#card[open]")
    assert "Cell 3 of field plate_A04" in visit.page.locator("#card").inner_text()


def test_all_images_of_cells_arrive(gallery):
    page = gallery.page
    page.get_by_label("Well").select_option("A01")
    has_tiles(page, 9)
    page.wait_for_load_state("networkidle")
    loaded = (
        "Array.from(document.querySelectorAll('.tile .image'))"
        ".every(image => image.naturalWidth === 48)"
    )
    assert page.evaluate(loaded)


def test_the_report_leads_to_the_cells(visit, address):
    visit.page.goto(f"{address}/?token=secret")
    visit.page.get_by_role("link", name="All cells").click()
    visit.page.wait_for_selector(".tile")
    assert visit.errors == []


def test_the_name_of_a_run_is_text(gallery):
    assert gallery.page.locator("h1").inner_text() == "<script>alert(1)"


def test_nothing_sticks_out_on_a_telephone(gallery):
    gallery.page.set_viewport_size({"width": 360, "height": 700})
    assert gallery.page.evaluate("document.documentElement.scrollWidth") <= 360


def colours(page, channels):
    """Sums of red, green and blue of the first tile, once it shows these channels."""
    tile = page.locator(".tile .image").first
    playwright.expect(tile).to_have_attribute("src", re.compile(rf"channels={channels}$"))
    # On a busy machine the new picture may come late: until it is decoded the old one is shown.
    tile.evaluate("image => image.decode()")
    return page.evaluate(SUMS, ".tile .image")


def test_channels_go_by_box_and_by_key(gallery):
    page = gallery.page
    box = page.get_by_label("gfp protein, green")
    assert box.is_checked()
    page.keyboard.press("1")
    _, green, blue = colours(page, "1")
    assert green > 2 * blue > 0
    box.uncheck()
    assert colours(page, "") == [0, 0, 0]
    page.keyboard.press("1")
    _, green, blue = colours(page, "0")
    assert blue > 1.5 * green > 0
    assert gallery.errors == []


def test_outlines_go_by_key_and_reach_the_open_cell(gallery):
    page = gallery.page
    lines = page.locator(".tile .lines")
    # At first they are there: a window may show neighbours, and one cell is meant.
    playwright.expect(lines.first).to_be_visible()
    page.keyboard.press("o")
    playwright.expect(lines.first).not_to_be_visible()
    page.keyboard.press("o")
    page.locator(".tile").first.click()
    inside = page.locator("#card .lines")
    playwright.expect(inside).to_be_visible()
    page.keyboard.press("o")
    playwright.expect(inside).not_to_be_visible()
    assert gallery.errors == []


def test_a_chosen_channel_holds_on_the_next_page(gallery):
    page = gallery.page
    page.keyboard.press("2")
    page.keyboard.press("PageDown")
    has_tiles(page, 8)
    _, green, blue = colours(page, "0")
    assert blue > 1.5 * green > 0
