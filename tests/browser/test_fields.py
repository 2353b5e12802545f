"""Fields, plates and the viewer of `cellwise view` in a real browser."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from tests.browser.conftest import served, until, writer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser


def settled(page):
    """Wait until tiles and outlines are drawn."""
    playwright.expect(page.locator("#view[data-settled=true]")).to_be_attached(timeout=15_000)


def look(page):
    """What the canvas shows, `[y, x, rgb]`."""
    content = page.locator("#canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)


def mean(page):
    return look(page).mean((0, 1))


@pytest.fixture
def field(visit, address):
    visit.page.goto(f"{address}/field?token=secret&site=plate_A05")
    settled(visit.page)
    return visit


def test_a_field_shows_its_image_and_outlines(field, address):
    page = field.page
    assert page.locator("h2").first.inner_text() == "plate_A05"
    assert "5 of 12" in page.locator("#about").inner_text()
    assert "inside 9" in page.locator("#legend").inner_text()
    assert "token" not in page.url
    before = look(page)
    # The blue of the first class is the colour of its outlines.
    near = np.abs(before - (86, 180, 233)).max(2) < 30
    assert near.sum() > 200
    page.keyboard.press("o")
    playwright.expect(page).to_have_url(re.compile("lines=no"))
    assert (np.abs(look(page) - (86, 180, 233)).max(2) < 30).sum() < near.sum() / 4
    assert field.errors == []
    assert [url for url in field.requests if not url.startswith((address, "data:"))] == []


def test_without_a_mouse_from_the_plate_to_the_card_of_a_cell(visit, address):
    page, keys = visit.page, visit.page.keyboard
    page.set_viewport_size({"width": 400, "height": 800})
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/fields?token=secret")
    wells = page.locator("#map .well")
    playwright.expect(wells).to_have_count(12)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    while page.evaluate("document.activeElement.className") != "well":
        keys.press("Tab")
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    keys.press("Enter")
    playwright.expect(page).to_have_url(re.compile("well=B02"))
    playwright.expect(page.locator("#count")).to_have_text("1 field of well P1 B02")
    for _ in range(80):
        if "thumb" in page.evaluate("document.activeElement.className"):
            break
        keys.press("Tab")
    keys.press("Enter")
    page.wait_for_url("**/field?**")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    keys.press("n")
    playwright.expect(page.locator("#spoken")).to_contain_text("Cell")
    first = page.locator("#spoken").inner_text()
    keys.press("n")
    playwright.expect(page.locator("#spoken")).not_to_have_text(first)
    keys.press("Enter")
    card = page.locator("#card")
    card.wait_for(state="visible")
    number = re.match(r"Cell (\d+)", page.locator("#spoken").inner_text())[1]
    assert card.locator("h2").inner_text() == f"Cell {number} of field plate_B02"
    playwright.expect(page).to_have_url(re.compile("#cell=plate_B02/"))
    keys.press("Escape")
    card.get_by_role("link", name="Show in its field")
    assert visit.errors == []


@pytest.mark.slow
def test_arrows_lead_to_the_fields_beside(field):
    page = field.page
    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("h2").first).to_have_text("plate_A06")
    settled(page)
    # Two presses lead two fields back, also where the first of them is still being loaded.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    playwright.expect(page.locator("h2").first).to_have_text("plate_A04")
    page.go_back()
    playwright.expect(page.locator("h2").first).to_have_text("plate_A05")


@pytest.mark.slow
def test_the_address_keeps_place_channels_and_colours(field):
    page = field.page
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("2")
    page.get_by_label("Colour outlines by").select_option("probability")
    playwright.expect(page).to_have_url(re.compile(r"view=[\d.]+%2C[\d.]+%2C[\d.]+"))
    playwright.expect(page).to_have_url(re.compile("by=probability"))
    playwright.expect(page).to_have_url(re.compile("channels=0"))
    settled(page)
    before, url = look(page), page.url
    page.reload()
    settled(page)
    assert page.url == url
    assert np.abs(look(page) - before).mean() < 2


def test_a_cell_that_is_pointed_at_is_named_and_opens(field):
    page = field.page
    box = page.locator("#canvas").bounding_box()
    # The cell in the middle of the field, see the drawn plate.
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    playwright.expect(page.locator("#tip")).to_contain_text("Cell 5")
    page.mouse.click(x, y)
    page.wait_for_selector("#card[open]")
    assert "Cell 5 of field plate_A05" in page.locator("#card").inner_text()


def test_dragging_moves_and_does_not_open(field):
    page = field.page
    box = page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.wheel(0, 0)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.mouse.move(x + 120, y + 60, steps=5)
    page.mouse.up()
    playwright.expect(page).to_have_url(re.compile("view="))
    assert not page.locator("#card").is_visible()


@pytest.mark.slow
def test_contrast_and_colour_change_what_is_seen(field):
    page = field.page
    page.keyboard.press("o")
    page.locator("summary", has_text="Contrast").click()
    before = mean(page)
    page.get_by_label("brightest value of gfp").fill("100")
    playwright.expect(page).to_have_url(re.compile("channels="))
    brighter = until(page, mean, lambda found: found[1] > 1.3 * before[1])
    page.get_by_label("colour of gfp").fill("#ff0000")
    until(page, mean, lambda found: found[0] > 2 * brighter[0])
    page.get_by_role("button", name="Contrast of the run").click()
    page.get_by_label("colour of gfp").fill("#14f56e")
    until(page, mean, lambda found: np.abs(found - before).max() < 2)


@pytest.mark.slow
def test_images_that_are_gone_are_said_to_be_gone(visit, tmp_path):
    made = writer().write_run(tmp_path)
    (made.images / "A02_gfp.png").unlink()
    with served(made.run) as address:
        visit.page.goto(f"{address}/field?token=secret&site=plate_A02")
        settled(visit.page)
        words = visit.page.locator("#gone").inner_text()
        assert "cannot be read" in words
        assert "A0" in words
        assert "put together from the images of single cells" in words
        assert look(visit.page).max() > 100
    assert visit.errors == []
