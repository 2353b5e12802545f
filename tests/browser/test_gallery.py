"""The gallery of `cellwise view` in a real browser."""

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from tests.browser.conftest import served, until, writer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser


def canvas(page):
    """What the canvas shows, `[y, x, rgb]`."""
    content = page.locator("#canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)


def sums(page):
    return canvas(page).mean((0, 1))


def whiteness(page):
    """What red, green and blue have in common: outlines are white, stains are not."""
    return float(canvas(page)[:100].min(2).mean())


@pytest.fixture
def gallery(visit, address):
    visit.page.emulate_media(color_scheme="dark")
    visit.page.goto(f"{address}/cells?token=secret")
    ready(visit.page)
    return visit


def ready(page):
    playwright.expect(page.locator("#count")).to_contain_text("of")
    page.wait_for_load_state("networkidle")


def says(page, words):
    playwright.expect(page.locator("#count")).to_contain_text(words)


def active(page):
    return page.locator("#active-cell").inner_text()


def test_it_opens_without_a_complaint_and_asks_only_its_own_server(gallery, address):
    assert gallery.errors == []
    assert [url for url in gallery.requests if not url.startswith((address, "data:"))] == []
    says(gallery.page, "of 108")
    # One list, one sheet, one set of outlines for a screen.
    screens = [url for url in gallery.requests if "/api/cells" in url]
    assert len(screens) == 3
    until(gallery.page, sums, lambda found: min(found) > 3)


def test_without_the_token_nothing_is_shown(visit, address):
    assert visit.page.goto(f"{address}/cells").status == 403


def test_look_filter_sort_choose_and_open_by_keyboard_alone(visit, address):
    page = visit.page
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"{address}/cells?token=secret")
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    keys = page.keyboard
    while page.evaluate("document.activeElement.tagName") != "SUMMARY":
        keys.press("Tab")
    keys.press("Enter")
    playwright.expect(page.get_by_label("Well")).to_be_visible()
    for _ in range(40):
        if page.evaluate("document.activeElement.name") == "well":
            break
        keys.press("Tab")
    keys.type("B03")
    says(page, "of 9 (108 in the run)")
    playwright.expect(page).to_have_url(re.compile("well=B03"))
    for _ in range(60):
        if page.evaluate("document.activeElement.name") == "sort":
            break
        keys.press("Tab")
    keys.type("area")
    playwright.expect(page).to_have_url(re.compile("sort=area"))
    ready(page)
    for _ in range(60):
        if page.evaluate("document.activeElement.id") == "gallery":
            break
        keys.press("Tab")
    first = active(page)
    keys.press("Space")
    keys.press("ArrowRight")
    playwright.expect(page.locator("#active-cell")).not_to_have_text(first)
    keys.press("Shift+ArrowRight")
    playwright.expect(page.locator("#chosen-words")).to_contain_text("3 cells chosen")
    playwright.expect(page).to_have_url(re.compile("picked="))
    keys.press("Enter")
    card = page.locator("#card")
    card.wait_for(state="visible")
    playwright.expect(card).to_contain_text("Calibration: weak")
    playwright.expect(page).to_have_url(re.compile("#cell=plate_B03/"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    title = card.locator("h2").inner_text()
    keys.press("ArrowLeft")
    playwright.expect(card.locator("h2")).not_to_have_text(title)
    keys.press("Escape")
    playwright.expect(page).not_to_have_url(re.compile("#cell="))
    assert page.evaluate("document.activeElement.id") == "gallery"
    assert visit.errors == []


def test_a_key_on_a_cell_that_is_still_loaded_is_not_lost(gallery):
    page = gallery.page
    ready(page)
    page.evaluate(
        """() => {
            document.getElementById("larger").click();
            const holder = document.getElementById("gallery");
            holder.focus();
            holder.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
        }"""
    )
    playwright.expect(page.locator("#chosen-words")).to_contain_text("1 cell chosen")


@pytest.mark.parametrize("control", ["larger", "channels input"])
def test_a_change_before_the_first_answer_still_shows_the_cells(gallery, control):
    page = gallery.page
    page.evaluate(
        """(control) => {
            document.getElementById("reset").click();
            document.querySelector("#" + control).click();
        }""",
        control,
    )
    says(page, "of 108")
    playwright.expect(page.locator("#active-cell")).to_contain_text("Cell")


@pytest.mark.slow
def test_the_address_says_all(gallery):
    page = gallery.page
    page.get_by_label("Probability from").fill("0.4")
    page.get_by_label("Probability from").press("Enter")
    page.get_by_label("Class given").select_option("yes")
    page.get_by_label("Order").select_option("up")
    page.get_by_role("button", name="Larger images").click()
    page.keyboard.press("1")
    playwright.expect(page).to_have_url(re.compile("channels=1"))
    page.locator("#gallery").focus()
    page.keyboard.press("Space")
    playwright.expect(page.locator("#chosen-words")).to_contain_text("1 cell chosen")
    ready(page)
    words, told = page.locator("#count").inner_text(), active(page)
    page.reload()
    ready(page)
    says(page, words)
    playwright.expect(page.locator("#active-cell")).to_have_text(told)
    assert page.get_by_label("Probability from").input_value() == "0.4"
    assert not page.get_by_label("dna nucleus, blue").is_checked()
    playwright.expect(page.locator("#chosen-words")).to_contain_text("1 cell chosen")
    assert "size=144" in page.url


@pytest.mark.slow
def test_going_back_undoes_a_filter(gallery):
    page = gallery.page
    page.get_by_label("Well").select_option("A02")
    says(page, "of 9 ")
    page.go_back()
    says(page, "of 108")
    assert page.get_by_label("Well").input_value() == ""


@pytest.mark.slow
def test_filters_that_no_cell_fits_say_so(gallery):
    page = gallery.page
    page.get_by_label("Uncertainty from").fill("1")
    page.get_by_label("Uncertainty from").press("Enter")
    says(page, "No cell fits these filters (108 in the run).")
    page.get_by_role("button", name="Reset").click()
    says(page, "of 108")


def test_a_line_drawn_around_cells_chooses_them(gallery):
    page = gallery.page
    box = page.locator("#canvas").bounding_box()
    mouse = page.mouse
    corners = [(3, 3), (220, 3), (220, 160), (3, 160), (3, 10)]
    mouse.move(box["x"] + 3, box["y"] + 3)
    mouse.down()
    for x, y in corners[1:]:
        mouse.move(box["x"] + x, box["y"] + y, steps=6)
    mouse.up()
    playwright.expect(page.locator("#chosen-words")).to_contain_text("cells chosen")
    chosen = int(page.locator("#chosen-words b").inner_text().split()[0])
    assert 2 <= chosen <= 6
    with page.expect_download() as found:
        page.get_by_role("link", name="Save as CSV").click()
    text = found.value.path().read_text(encoding="utf-8")
    assert len(list(csv.DictReader(io.StringIO(text)))) == chosen
    page.get_by_role("button", name="Show only these").click()
    says(page, f"of {chosen} (108 in the run)")
    page.get_by_role("button", name="Clear").click()
    playwright.expect(page.locator("#chosen")).to_be_hidden()


def test_shift_chooses_all_between_and_control_a_all(gallery):
    page = gallery.page
    box = page.locator("#canvas").bounding_box()
    page.keyboard.down("Control")
    page.mouse.click(box["x"] + 40, box["y"] + 40)
    page.keyboard.up("Control")
    page.keyboard.down("Shift")
    page.mouse.click(box["x"] + 250, box["y"] + 40)
    page.keyboard.up("Shift")
    playwright.expect(page.locator("#chosen-words")).to_contain_text("3 cells chosen")
    page.keyboard.press("Control+a")
    playwright.expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")
    playwright.expect(page).to_have_url(re.compile("picked=0-107"))
    page.keyboard.press("Escape")
    playwright.expect(page.locator("#chosen")).to_be_hidden()


@pytest.mark.slow
def test_channels_go_by_box_and_by_key(gallery):
    page = gallery.page
    page.keyboard.press("o")
    page.keyboard.press("1")
    until(page, sums, lambda found: found[1] > 1.3 * found[2])
    page.keyboard.press("1")
    page.get_by_label("gfp protein, green").uncheck()
    until(page, sums, lambda found: found[2] > 1.1 * found[1])
    assert gallery.errors == []


def test_outlines_are_there_at_first_and_go_by_key(gallery):
    page = gallery.page
    before = until(page, whiteness, lambda found: found > 4)
    page.keyboard.press("o")
    until(page, whiteness, lambda found: found < 0.7 * before)
    playwright.expect(page).to_have_url(re.compile("lines=no"))


@pytest.mark.slow
def test_an_address_with_a_cell_opens_that_cell(visit, address):
    visit.page.goto(f"{address}/cells?token=secret&well=B01#cell=plate_A04/3")
    visit.page.wait_for_selector("#card[open]")
    assert "Cell 3 of field plate_A04" in visit.page.locator("#card").inner_text()


@pytest.mark.slow
def test_the_report_leads_to_the_cells(visit, address):
    visit.page.goto(f"{address}/?token=secret")
    visit.page.get_by_role("link", name="All cells").click()
    ready(visit.page)
    assert visit.errors == []


@pytest.mark.slow
def test_two_tabs_do_not_disturb_each_other(gallery, address):
    page = gallery.page
    other = page.context.new_page()
    other.goto(f"{address}/cells")
    ready(other)
    page.get_by_label("Well").select_option("A01")
    says(page, "of 9 ")
    says(other, "of 108")


def test_names_are_text(odd_visit):
    page = odd_visit.page
    ready(page)
    assert page.locator("h1").inner_text() == "<script>alert(1)"
    offered = page.locator("select[name=class] option").all_inner_texts()
    assert offered[0] == "<img src=x onerror=alert(1)>"
    assert [name for name in offered if len(name) == 300]
    page.locator("#gallery").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#card[open]")
    assert "<img src=x" in page.locator("#card").inner_text()
    for width in (360, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert odd_visit.errors == []


def test_the_token_leaves_the_address_and_the_rest_of_it_stays(visit, address):
    page = visit.page
    page.goto(f"{address}/cells?token=secret&well=B01#cell=plate_A04/3")
    ready(page)
    assert page.url.startswith(f"{address}/cells?well=B01")
    assert "secret" not in page.evaluate("JSON.stringify([location.href, document.referrer])")
    assert "secret" not in page.evaluate("performance.getEntries().map((one) => one.name).join()")
    told = page.evaluate(
        """async () => {
          const { post, giveName } = await import("/static/api.js");
          const named = await giveName("Ann");
          return [named.who, named.role, await post("/api/session", { who: "Bea" })];
        }"""
    )
    assert told[:2] == ["Ann", "viewer"]
    assert told[2]["who"] == "Bea"
    assert not visit.errors


def test_without_classes_cells_stand_by_field_and_the_form_says_so(visit, tmp_path):
    made = writer().write_run(tmp_path, classes=(), labels=False, wells=False)
    page = visit.page
    with served(made.run) as own:
        page.goto(f"{own}/cells?token=secret")
        playwright.expect(page.locator("#count")).to_contain_text("Cells 1 to")
        assert page.locator("select[name=sort]").input_value() == "site"
        assert page.locator("select[name=order] option:checked").inner_text() == "first to last"
        assert "sort=" not in page.url
        page.locator("select[name=sort]").select_option("area")
        playwright.expect(page).to_have_url(re.compile("sort=area"))
        page.locator("select[name=sort]").select_option("site")
        page.wait_for_function("() => !location.search.includes('sort=')")
        page.goto("about:blank")
    assert visit.errors == []
