"""What axe-core finds on the pages and on the report, and fingers on the image of a field."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.browser.conftest import served
from tests.browser.test_fields import settled

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

PAGES = ("/cells", "/fields", "/field?site=plate_A05", "/map", "/exports")


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core, from the package that brings it (MPL 2.0)."""
    package = pytest.importorskip(
        "axe_playwright_python", reason="no axe-core: axe-playwright-python is not installed"
    )
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def found(page, axe):
    """All findings, of whatever weight, with the parts that they are about."""
    page.evaluate(axe)
    run = "axe.run(document, { resultTypes: ['violations'] })"
    return [
        (finding["id"], [node["target"] for node in finding["nodes"][:3]])
        for finding in page.evaluate(run)["violations"]
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_the_report_has_no_finding(visit, report_run, axe, scheme, width):
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.page.goto((report_run.run / "report.html").as_uri())
    assert found(visit.page, axe) == []
    # What is wider than the screen can be scrolled by keyboard, the rest is no stop on the way.
    wide = visit.page.evaluate(
        """[...document.querySelectorAll(".table, .scroll")].filter((one) => one.checkVisibility())
          .map((one) => [one.scrollWidth > one.clientWidth, one.tabIndex === 0])"""
    )
    assert all(over == stop for over, stop in wide)
    assert any(over for over, _ in wide) == (width == 400)


def test_axe_does_find_what_is_wrong(visit, axe):
    visit.page.set_content("<html><img src='data:,'><p style='color:#ddd'>pale</p>")
    assert {name for name, _ in found(visit.page, axe)} >= {"image-alt", "color-contrast"}


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_the_pages_have_no_finding(visit, address, axe, scheme, width):
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/?token=secret")
    for place in PAGES:
        page.goto(f"{address}{place}")
        page.wait_for_load_state("networkidle")
        assert (place, found(page, axe)) == (place, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_the_label_desk_has_no_finding(visit, report_run, axe):
    page = visit.page
    with served(report_run.run, edit=True) as address:
        page.goto(f"{address}/cells?token=secret&desk=open")
        page.locator("#who-word").fill("ann")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#who-form")).to_be_hidden()
        page.locator("#desk-more summary").click()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_load_state("networkidle")
            assert (scheme, found(page, axe)) == (scheme, [])
        page.goto("about:blank")


def test_fingers_move_and_enlarge_the_image_of_a_field(browser, address):
    context = browser.new_context(viewport={"width": 500, "height": 900}, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}/field?token=secret&site=plate_A05")
    settled(page)
    box = page.locator(".view canvas").first.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    fingers = context.new_cdp_session(page)

    def touch(kind, *apart):
        points = [
            {"x": middle[0] + x, "y": middle[1] + y, "id": n} for n, (x, y) in enumerate(apart)
        ]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def view(before=""):
        """Left, top and scale as text, once the address of the page holds others than before."""
        page.wait_for_function(
            """before => {
              const kept = new URL(location).searchParams.get("view");
              const still = kept === window.lastView;
              window.lastView = kept;
              return kept !== null && kept !== before && still;
            }""",
            arg=before,
            polling=700,
        )
        return parse_qs(urlsplit(page.url).query)["view"][0]

    touch("touchStart", (-20, 0), (20, 0))
    for step in range(1, 9):
        touch("touchMove", (-20 - 8 * step, 0), (20 + 8 * step, 0))
    touch("touchEnd")
    first = view()
    left, top, scale = map(float, first.split(","))
    fitted = min(box["width"], box["height"]) / 160
    # The fingers were 40 pixels apart and are 168.
    assert scale / fitted == pytest.approx(168 / 40, rel=0.1)
    touch("touchStart", (0, 0))
    for step in range(1, 9):
        touch("touchMove", (-6 * step, 0))
    touch("touchEnd")
    moved = [float(part) for part in view(first).split(",")]
    context.close()
    assert moved[1:] == [top, scale]
    assert moved[0] - left == pytest.approx(48 / scale, rel=0.2)
