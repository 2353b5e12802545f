"""Pages whose answers are late, overtake each other or fail show what was asked for last."""

import re

import pytest
from tests.browser.conftest import Held

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser
expect = playwright.expect


def go(visit, address, place):
    visit.page.goto(f"{address}{place}{'&' if '?' in place else '?'}token=secret")
    visit.page.wait_for_load_state("networkidle")
    return visit.page


def settled(page):
    expect(page.locator("#view[data-settled=true]")).to_be_attached(timeout=15_000)


CELLS = re.compile(r"/api/cells\?")
PIXELS = """() => {
  const canvas = document.getElementById("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, at) => (sum * 31 + value * (at % 997)) % 1000003, 7);
}"""
"""A number that tells one picture of the canvas from another."""


def test_the_map_is_coloured_by_what_was_asked_last(visit, address):
    page = go(visit, address, "/map")
    settled(page)
    colours = page.locator("select[name=by]")
    colours.select_option("uncertainty")
    expect(page.locator("#legend")).to_contain_text("0.25")
    page.wait_for_timeout(100)
    wanted = page.evaluate(PIXELS)
    values = Held(page, "**/api/map/values.bin?*")
    colours.select_option("class")
    colours.select_option("uncertainty")
    values.wait(2)
    values.go(1)
    values.free()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#legend")).to_contain_text("0.25")
    page.wait_for_timeout(100)
    assert page.evaluate(PIXELS) == wanted


def test_the_map_counts_the_cells_of_the_line_that_was_drawn_last(visit, address):
    page = go(visit, address, "/map")
    settled(page)
    page.locator("#choose").click()
    expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")
    page.get_by_role("button", name="Clear").click()
    counts = Held(page, CELLS)
    for _ in range(6):
        page.locator("#closer").click()
    page.locator("#choose").click()
    page.locator("#whole").click()
    page.locator("#choose").click()
    counts.wait(2)
    counts.go(1)
    expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")
    counts.free()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")


def test_a_line_on_the_map_that_could_not_be_counted_is_said_to_be_so(visit, address):
    page = go(visit, address, "/map")
    settled(page)
    page.route(CELLS, lambda route: route.abort(), times=1)
    page.locator("#choose").click()
    expect(page.locator("#chosen-words")).to_contain_text("could not be counted")
    page.locator("#choose").click()
    expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")


def test_wells_are_coloured_by_the_class_that_was_chosen_last(visit, address):
    page = go(visit, address, "/fields?by=share")
    plates = Held(page, "**/api/plates?*")
    page.locator("select[name=class]").select_option("Negative")
    page.locator("select[name=class]").select_option("inside")
    plates.wait(2)
    plates.go(1)
    plates.free()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#scale")).to_contain_text("given inside")


def test_more_fields_are_not_added_to_a_list_that_is_about_to_go(visit, address):
    def short(route):
        route.fulfill(response=(found := route.fetch()), body=found.text().replace("= 48", "= 5"))

    page = visit.page
    page.route("**/static/fields.js", short)
    go(visit, address, "/fields")
    fields = Held(page, "**/api/fields?*")
    page.locator("input[name=text]").fill("B")
    fields.wait()
    page.locator("#more").click()
    fields.free()
    expect(page.locator("#count")).to_have_text('6 fields with "B" in the name')
    assert all("B" in name for name in page.locator("#list b").all_inner_texts())
    page.locator("#more").click()
    expect(page.locator("#list a")).to_have_count(6)


def test_fields_that_could_not_be_listed_are_not_said_to_be_loaded(visit, address):
    page = visit.page
    page.route("**/api/fields?*", lambda route: route.abort(), times=1)
    go(visit, address, "/fields")
    expect(page.locator("#count")).to_have_text("No fields could be listed.")
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    page.locator("input[name=text]").fill("A0")
    expect(page.locator("#count")).to_contain_text("6 fields")
    expect(page.locator("#trouble")).to_be_hidden()


def test_outlines_of_a_field_that_was_left_are_not_drawn_over_the_next(visit, address):
    page = go(visit, address, "/field?site=plate_A02")
    settled(page)

    def look():
        for key in "+0":
            page.keyboard.press(key)
        page.wait_for_timeout(300)
        return page.evaluate(PIXELS)

    wanted = look()
    outlines = Held(page, "**/outlines.bin")
    page.keyboard.press("ArrowRight")
    outlines.wait()
    expect(page.locator("#title")).to_have_text("plate_A03")
    page.keyboard.press("ArrowLeft")
    outlines.wait(2)
    expect(page.locator("#title")).to_have_text("plate_A02")
    late = outlines.waiting.pop(0)
    outlines.free()
    settled(page)
    outlines.waiting.append(late)
    outlines.free()
    assert look() == wanted


def test_outlines_are_coloured_by_the_class_that_was_chosen_last(visit, address):
    page = go(visit, address, "/field?site=plate_A03&by=probability")
    settled(page)
    page.wait_for_timeout(100)
    wanted = page.evaluate(PIXELS)
    chances = Held(page, "**/probabilities?*")
    page.locator("select[name=class]").select_option("Negative")
    page.locator("select[name=class]").select_option("inside")
    chances.wait(2)
    chances.go(1)
    chances.free()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(200)
    assert page.evaluate(PIXELS) == wanted


def test_keys_before_a_field_is_there_and_a_pointer_that_leaves_raise_nothing(visit, address):
    page = visit.page
    images = Held(page, re.compile(r"/api/fields/plate_A03(\?|$)"))
    page.goto(f"{address}/field?site=plate_A03&token=secret")
    images.wait()
    for key in ("+", "0", "Shift+ArrowLeft", "n", "Escape"):
        page.keyboard.press(key)
    images.free()
    settled(page)
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#tip")).to_contain_text("Cell 5")
    page.mouse.move(1, 1)
    expect(page.locator("#tip")).to_be_hidden()
    for key in ("n", "Escape", "1", "2"):
        page.keyboard.press(key)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#trouble")).to_be_hidden()
    assert visit.errors == []


@pytest.mark.slow
def test_a_field_that_could_not_be_had_is_asked_for_again(visit, address):
    page = visit.page
    page.route("**/api/fields/plate_A03?*", lambda route: route.abort(), times=1)
    page.route("**/api/fields/plate_A03", lambda route: route.abort(), times=1)
    page.goto(f"{address}/field?token=secret&site=plate_A03")
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    settled(page)
    expect(page.locator("#trouble")).to_be_hidden()


@pytest.mark.slow
def test_a_tile_that_could_not_be_had_is_asked_for_again(visit, address):
    page = visit.page
    page.route("**/tiles/**", lambda route: route.abort(), times=1)
    page.goto(f"{address}/field?token=secret&site=plate_A03")
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    expect(page.locator("#trouble")).to_be_hidden(timeout=10_000)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["", "/sheet.jpg", "/outlines.bin"])
def test_cells_that_could_not_be_had_are_asked_for_again(visit, address, part):
    page = visit.page
    asked = re.compile(rf"/api/cells{part}\?")
    page.route(asked, lambda route: route.abort())
    page.goto(f"{address}/cells?token=secret")
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    if not part:
        expect(page.locator("#count")).to_have_text("No cells could be listed.")
        # It is asked for each two seconds, not without a pause.
        before = len(visit.requests)
        page.wait_for_timeout(1000)
        assert len(visit.requests) - before < 6
    page.unroute(asked)
    expect(page.locator("#trouble")).to_be_hidden(timeout=10_000)
    expect(page.locator("#count")).to_contain_text("of 108")


def test_rows_that_could_not_be_had_are_said_to_be_missing(visit, address):
    page = go(visit, address, "/cells")
    page.route("**/api/cells/rows?*", lambda route: route.abort(), times=1)
    cells = Held(page, CELLS)
    page.locator("#larger").click()
    cells.wait()
    page.locator("#gallery").focus()
    page.keyboard.press("Control+a")
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    page.keyboard.press("Control+a")
    expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")
    expect(page.locator("#trouble")).to_be_hidden()
    cells.free()
    assert not [words for words in visit.errors if "Failed to load" not in words]


def test_a_line_around_cells_that_are_still_loaded_chooses_them(visit, address):
    page = go(visit, address, "/cells")
    cells = Held(page, CELLS)
    page.locator("#larger").click()
    cells.wait()
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    for x, y in ((300, 3), (300, 160), (3, 160), (3, 10)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    expect(page.locator("#chosen-words")).to_contain_text("cells chosen")
    cells.free()


def test_all_of_no_cells_are_chosen_without_a_complaint(visit, address):
    page = go(visit, address, "/cells?unsure=1")
    expect(page.locator("#count")).to_contain_text("No cell fits")
    page.locator("#gallery").focus()
    page.keyboard.press("Control+a")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#chosen")).to_be_hidden()
    assert visit.errors == []


def test_going_back_leaves_what_was_chosen_and_how_cells_look(visit, address):
    page = go(visit, address, "/cells")
    page.locator("select[name=well]").select_option("A02")
    expect(page.locator("#count")).to_contain_text("of 9 ")
    page.locator("#gallery").focus()
    for key in (" ", "1", "o", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile("#cell="))
    page.go_back()
    expect(page.locator("#count")).to_contain_text("of 108")
    expect(page.locator("#card")).to_be_hidden()
    expect(page).to_have_url(re.compile("picked="))
    page.reload()
    expect(page.locator("#chosen-words")).to_contain_text("1 cell chosen")
    expect(page.get_by_label("dna nucleus, blue")).not_to_be_checked()
    expect(page.locator("input[name=outlines]")).not_to_be_checked()
