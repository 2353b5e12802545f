"""The label desk where answers are late: no verdict is lost, none is given to another cell."""

import re
import shutil
from pathlib import Path

import pytest
from tests.browser.conftest import Held, can_judge, served

from cellwise.store.annotations.saves import annotations
from cellwise.store.run.folder import RunFolder

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser
expect = playwright.expect
CELLS = re.compile(r"/api/cells\?")


class Desk:
    """The desk of a run of its own, open, with a name given."""

    def __init__(self, visit, run: Path, address: str) -> None:
        self.page, self.run, self.errors = visit.page, run, visit.errors
        self.page.goto(f"{address}/cells?token=secret&desk=open")
        self.page.locator("#who-word").fill("ann")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#who-form")).to_be_hidden()
        can_judge(self.page)

    def seen(self) -> None:
        expect(self.page.locator("#active-cell")).to_contain_text("Cell")

    def press(self, *keys: str) -> None:
        self.page.locator("#gallery").focus()
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        expect(self.page.locator("#saved")).to_contain_text("Saved")

    def kept(self) -> list[tuple[str, str]]:
        """Class and verdict of all that the run holds."""
        return annotations(RunFolder(self.run)).select("class", "verdict").rows()


@pytest.fixture
def desk(visit, report_run, tmp_path):
    own = Path(shutil.copytree(report_run.run, tmp_path / "own.run"))
    with served(own, edit=True) as address:
        yield Desk(visit, own, address)
        visit.page.evaluate("sessionStorage.clear()")
        visit.page.goto("about:blank")


def told(desk, words):
    expect(desk.page.locator("#told")).to_contain_text(words)


def write_anew(desk, **changes):
    """Have the page hear that the run was written again, by an answer to its next list of cells."""
    page = desk.page
    page.route(CELLS, lambda route: route.fulfill(status=409, json={"detail": ""}), times=1)
    known = page.evaluate("fetch('/api/run').then((answer) => answer.json())")
    if changes:
        page.route("**/api/run", lambda route: route.fulfill(json=known | changes))


@pytest.mark.slow
def test_a_run_that_was_written_again_while_a_verdict_was_sent_loses_none(desk):
    sent = []

    def full(route):
        """The disk is full for the third verdict when it comes first."""
        sent.append(route.request.post_data_json["id"])
        if len(set(sent)) == 3 and sent.count(sent[-1]) == 1:
            route.fulfill(status=507, json={"detail": "full"})
        else:
            route.fallback()

    saves = Held(desk.page, "**/api/desk/save")
    desk.press("1", "1", "1")
    saves.wait()
    sent.append(saves.waiting[0].request.post_data_json["id"])
    desk.page.route("**/api/desk/save", full)
    write_anew(desk)
    with desk.page.expect_response("**/api/desk"):
        desk.page.locator("select[name=order]").select_option("up")
    desk.seen()
    saves.free()
    expect(desk.page.locator("#desk-note")).to_contain_text("3 cells", timeout=15_000)
    assert len(desk.kept()) == 3


def test_what_is_sent_again_cannot_be_discarded_meanwhile(desk):
    saves = Held(desk.page, "**/api/desk/save")
    desk.press("1", "2")
    saves.wait()
    saves.go(status=409, json={"detail": "not now"})
    expect(desk.page.locator("#unsaved")).to_contain_text("2 saves are kept")
    desk.page.get_by_role("button", name="Try again").click()
    saves.wait()
    desk.page.get_by_role("button", name="Discard the first").click()
    saves.free()
    desk.saved()
    assert sorted(verdict for _, verdict in desk.kept()) == ["no", "yes"]


def test_a_card_of_a_cell_that_was_found_again_is_closed(desk):
    page = desk.page
    desk.press("Enter")
    page.wait_for_selector("#card[open]")
    write_anew(desk, cells_stamp="another")
    page.evaluate("document.getElementById('larger').click()")
    expect(page.locator("#card")).to_be_hidden()
    assert "#cell=" not in page.url


def test_a_key_before_the_next_card_is_here_judges_no_cell(desk):
    page = desk.page
    desk.press("Enter")
    page.wait_for_selector("#card[open][aria-busy=false]")
    first = page.locator("#card-title").inner_text()
    cards = Held(page, re.compile(r"/api/cells/[^/]+/\d+$"))
    page.keyboard.press("1")
    cards.wait()
    page.keyboard.press("2")
    told(desk, "This cell is still being loaded.")
    cards.free()
    expect(page.locator("#card-title")).not_to_have_text(first)
    desk.saved()
    assert desk.kept() == [("inside", "yes")]


@pytest.mark.slow
def test_a_cell_is_not_judged_before_its_image_is_there(desk):
    page = desk.page
    sheets = Held(page, "**/api/cells/sheet.jpg*")
    page.locator("#larger").click()
    sheets.wait()
    desk.seen()
    desk.press("1")
    told(desk, "still being loaded")
    sheets.free()
    large = Held(page, "**/image.jpg*")
    desk.press("Enter")
    large.wait()
    expect(page.locator("#card")).to_be_visible()
    page.keyboard.press("1")
    told(desk, "still being loaded")
    large.free()
    page.wait_for_selector("#card[open][aria-busy=false]")
    page.keyboard.press("1")
    desk.saved()
    assert desk.kept() == [("inside", "yes")]


@pytest.mark.slow
def test_a_verdict_waits_for_the_queue_and_the_last_queue_holds(desk):
    page = desk.page
    counts = Held(page, "**/api/desk")
    page.locator("#queue").select_option("uncertain")
    page.locator("#queue").select_option("rare")
    counts.wait(2)
    desk.press("1")
    told(desk, "These cells are still being loaded.")
    counts.go(1)
    expect(page).to_have_url(re.compile("queue=rare"))
    counts.go(0)
    desk.seen()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#queue")).to_have_value("rare")
    assert "queue=rare" in page.url
    assert desk.kept() == []


def test_a_queue_that_comes_after_the_desk_was_closed_is_not_taken(desk):
    page = desk.page
    counts = Held(page, "**/api/desk")
    page.locator("#queue").select_option("uncertain")
    counts.wait()
    desk.press("j")
    counts.free()
    page.wait_for_load_state("networkidle")
    assert "queue=" not in page.url


def test_a_verdict_waits_for_the_rows_that_are_being_chosen(desk):
    page = desk.page
    cells, rows = Held(page, CELLS), Held(page, "**/api/cells/rows?*")
    page.locator("#larger").click()
    cells.wait()
    desk.press("Control+a")
    rows.wait()
    desk.press("1")
    told(desk, "These cells are still being loaded.")
    rows.free()
    cells.free()
    expect(page.locator("#chosen-words")).to_contain_text("108 cells chosen")
    assert desk.kept() == []


@pytest.mark.slow
def test_marks_of_verdicts_that_are_on_their_way_stay(desk):
    page = desk.page
    saves = Held(page, "**/api/desk/save")
    desk.press("1", "ArrowLeft")
    expect(page.locator("#active-cell")).to_contain_text("you: shows it")
    # The page looks again for what others said each six seconds.
    page.wait_for_timeout(6500)
    expect(page.locator("#active-cell")).to_contain_text("you: shows it")
    # What the run holds is asked for when the desk is opened, and the verdict is not there yet.
    desk.press("j", "j")
    expect(page.locator("#desk")).to_be_visible()
    desk.seen()
    expect(page.locator("#active-cell")).to_contain_text("you: shows it")
    saves.free()
    desk.saved()


def test_a_desk_that_could_not_begin_begins_with_the_next_filter(desk):
    page = desk.page
    page.route("**/api/session", lambda route: route.abort(), times=1)
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    desk.press("1", "j")
    page.locator("select[name=order]").select_option("up")
    expect(page.locator("#trouble")).to_be_hidden()
    can_judge(page)
    desk.press("1")
    desk.saved()
    assert not [words for words in desk.errors if "Failed to load" not in words]


def test_the_buttons_follow_the_active_cell(desk):
    page = desk.page
    yes = page.locator("#verdicts button").first
    desk.press("1")
    expect(yes).to_have_attribute("aria-pressed", "false")
    desk.press("ArrowLeft")
    expect(yes).to_have_attribute("aria-pressed", "true")


def test_an_address_with_the_desk_waits_for_the_classes(visit, report_run, tmp_path):
    own = Path(shutil.copytree(report_run.run, tmp_path / "own.run"))
    page = visit.page
    with served(own, edit=True) as address:
        counts = Held(page, "**/api/desk")
        page.goto(f"{address}/cells?token=secret&desk=open")
        counts.wait()
        page.locator("select[name=class]").select_option("Negative")
        page.keyboard.press("j")
        counts.free()
        expect(page.locator("#verdicts")).to_contain_text("Shows Negative?")
        expect(page.locator("#trouble")).to_be_hidden()
        page.goto("about:blank")
    assert visit.errors == []
