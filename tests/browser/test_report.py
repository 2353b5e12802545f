"""The report in a real browser, opened from the disk."""

import pytest
from tests.browser.conftest import SUMS, until

from cellwise.stages.report._page import ONLY_WHERE_MADE, SECTIONS

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(visit, report_run):
    visit.page.goto((report_run.run / "report.html").as_uri())
    return visit


def test_it_opens_without_a_complaint_and_asks_nobody_for_anything(opened):
    opened.page.wait_for_timeout(300)
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith(("data:", "file:"))] == []
    assert sum(url.startswith("file:") for url in opened.requests) == 1


def test_every_section_has_its_title_and_its_place_in_the_contents(opened):
    titles = opened.page.locator("main h2").all_inner_texts()
    listed = opened.page.locator("nav li a").all_inner_texts()
    # A plate's run keeps no class maps and labels no cells by what others show.
    names = [title for name, title, _ in SECTIONS if name not in ONLY_WHERE_MADE]
    assert [title.lstrip("0123456789").strip() for title in titles] == names == listed


def test_a_script_in_a_name_is_shown_and_not_run(opened):
    assert opened.page.title() == "<script>alert(1) · cellwise report"
    assert opened.page.get_by_text('<script>document.title="broken"</script>.png').is_visible()


def test_all_images_are_drawn(opened):
    opened.page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    broken = "Array.from(document.images).filter(i => !(i.complete && i.naturalWidth)).length"
    until(opened.page, lambda page: page.evaluate(broken), lambda count: count == 0)
    assert opened.page.locator(".strip img").count() > 20


@pytest.mark.slow
def test_outlines_can_be_switched_off(opened):
    lines = opened.page.locator(".sheet .lines").first
    assert lines.is_visible()
    opened.page.get_by_label("show outlines").uncheck()
    assert not lines.is_visible()


@pytest.mark.slow
def test_channels_can_be_switched_and_come_back_as_they_were(opened):
    page, image = opened.page, "#segmentation img.image"
    first = page.evaluate(SUMS, image)
    box = page.locator("#segmentation fieldset.channels input").nth(1)
    assert box.is_visible()
    box.uncheck()
    until(page, lambda page: page.evaluate(SUMS, image), lambda sums: sums[2] > 1.5 * sums[1] > 0)
    box.check()
    # Mixed by the page from its planes as the report was: only what JPEG loses differs.
    as_before = pytest.approx(first, abs=0.03 * max(first))
    until(page, lambda page: page.evaluate(SUMS, image), lambda sums: sums == as_before)
    assert opened.errors == []


@pytest.mark.slow
def test_cells_are_switched_apart_from_fields(opened):
    page = opened.page
    fields = page.evaluate(SUMS, "#segmentation img.image")
    page.locator("#galleries fieldset.channels input").first.uncheck()
    cells = "#galleries img.image"
    until(page, lambda page: page.evaluate(SUMS, cells), lambda sums: sums[1] > 2 * sums[2])
    assert page.evaluate(SUMS, "#segmentation img.image") == fields


@pytest.mark.slow
def test_a_field_opens_large_and_closes_again(opened):
    opened.page.locator("button.enlarge").first.click()
    viewer = opened.page.locator("dialog.viewer")
    assert viewer.is_visible()
    assert "plate_A01" in viewer.inner_text()
    opened.page.keyboard.press("Escape")
    assert not viewer.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_nothing_sticks_out_at_any_width(opened, width):
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_contents_lead_to_their_section(opened):
    opened.page.locator("nav a", has_text="How this was made").click()
    playwright.expect(opened.page.locator("#provenance h2")).to_be_in_viewport()
    assert opened.page.url.endswith("#provenance")


def test_it_is_dark_where_the_system_is_and_light_on_paper(opened):
    """Brightness of the page's ground, its words and the words in its charts."""
    page = opened.page
    looks = """() => ["body", "main p", "svg .tick"].map((name) => {
      const style = getComputedStyle(document.querySelector(name));
      const colour = name === "body" ? style.backgroundColor : name.startsWith("svg") ? style.fill : style.color;
      return colour.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765;
    })"""  # noqa: E501
    light = page.evaluate(looks)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(looks)
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate(looks)
    for ground, *words in (light, paper):
        assert all(ground - word > 0.4 for word in words)
    assert all(word - dark[0] > 0.4 for word in dark[1:])
