"""The label desk in a real browser: from a look to a run that learned from twenty verdicts."""

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.browser.conftest import can_judge, served
from tests.worlds import labels, plate

import cellwise
from cellwise.store.annotations.saves import annotations
from cellwise.store.run.folder import RunFolder

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

RECIPE = """# Measured features and kernel ridge.
format: 1
steps:
  - read:
  - segment: {name: watershed}
  - cells: {size: 40}
  - split: {by: auto, folds: 2}
  - embed: {as: measured, by: measured}
  - label: {as: shown, by: inherit}
  - train: {as: cell, task: vectors, embeddings: measured, labels: shown,
            learner: {name: kernel_ridge}, threads: 1}
  - score: {as: cell, model: cell, by: vector_learner, embeddings: measured, threads: 1}
  - decide: {from: [cell]}
"""


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A run that learned from the labels of a small plate."""
    home = tmp_path_factory.mktemp("learned")
    recipe = home / "recipe.yaml"
    recipe.write_text(RECIPE)
    cellwise.run(
        plate(home / "plate", 12),
        out=home / "small.run",
        labels=labels(home / "labels.csv", 12),
        recipe=str(recipe),
        workers=1,
    )
    return home / "small.run"


def tab_to(page, selector):
    """Go there with the Tab key alone."""
    for _ in range(80):
        if page.evaluate("(s) => document.activeElement?.matches(s) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached")


def open_filters(page):
    """Unfold the filters by keyboard, where a narrow page has folded them."""
    if not page.evaluate("document.getElementById('side').open"):
        tab_to(page, "#side > summary")
        page.keyboard.press("Enter")


def begin(page):
    """Open the desk by keyboard and say who judges."""
    playwright.expect(page.locator("#judge")).to_be_visible()
    tab_to(page, "#judge")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#desk")).to_be_visible()
    playwright.expect(page.locator("#count")).to_contain_text("Cells 1 to")
    # The first verdict asks for the name of who gives it.
    tab_to(page, "#gallery")
    page.keyboard.press("2")
    playwright.expect(page.locator("#who-word")).to_be_focused()
    page.keyboard.type("Ada <b>")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#who-form")).to_be_hidden()
    tab_to(page, "#gallery")
    can_judge(page)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_look_filter_correct_learn_and_see_the_change_without_a_mouse(
    visit, learned, tmp_path, width, scheme
):
    own = Path(shutil.copytree(learned, tmp_path / "own.run"))
    with served(own, edit=True) as address:
        page = visit.page
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/cells?token=secret")
        playwright.expect(page.locator("#count")).to_contain_text("Cells 1 to")
        open_filters(page)
        tab_to(page, "select[name=border]")
        page.keyboard.press("n")
        playwright.expect(page.locator("#count")).to_contain_text("in the run")
        page.keyboard.press("Escape")
        begin(page)
        for _ in range(20):
            page.keyboard.press("2")
        playwright.expect(page.locator("#desk-note")).to_contain_text("20 cells", timeout=30_000)
        playwright.expect(page.locator("#saved")).to_contain_text("Saved")
        # One too many is taken back, and given again.
        page.keyboard.press("z")
        playwright.expect(page.locator("#desk-note")).to_contain_text("19 cells")
        page.keyboard.press("Shift+Z")
        playwright.expect(page.locator("#desk-note")).to_contain_text("20 cells")
        tab_to(page, "#desk-more summary")
        page.keyboard.press("Enter")
        tab_to(page, "#learn")
        page.keyboard.press("Enter")
        change = page.locator("#learn-change")
        playwright.expect(change).to_contain_text("Before and after", timeout=180_000)
        playwright.expect(change).to_contain_text("after 20 verdicts")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        tab_to(page, "#learn-change button")
        changed = int(page.evaluate("document.activeElement.textContent.match(/[0-9]+/)[0]"))
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#count")).to_contain_text(f"of {changed} ")
        # A server that is left answers nobody: its pages ask for nothing any more.
        page.goto("about:blank")
    run = RunFolder(own)
    said = annotations(run)
    assert said["verdict"].to_list() == ["no"] * 20
    assert set(said["who"]) == {"Ada <b>"}
    record = json.loads(run.record.read_text())
    label = next(step for step in record["steps"] if step["kind"] == "label")
    assert label["counts"]["verdicts"] == 20
    assert visit.errors == []
    assert [url for url in visit.requests if not url.startswith((address, "data:", "about:"))] == []


@pytest.mark.slow
def test_probabilities_are_fitted_to_what_chance_drew_by_a_tick(visit, learned, tmp_path):
    own = Path(shutil.copytree(learned, tmp_path / "own.run"))
    with served(own, edit=True) as address:
        page = visit.page
        page.goto(f"{address}/cells?token=secret")
        begin(page)
        tab_to(page, "#desk-more summary")
        page.keyboard.press("Enter")
        page.locator("#draw-count").fill("60")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#queue")).to_have_value("random")
        playwright.expect(page).to_have_url(re.compile("until="))
        can_judge(page)
        tab_to(page, "#gallery")
        for number in range(60):
            page.keyboard.press("12"[number % 2])
        playwright.expect(page.locator("#saved")).to_contain_text("Saved", timeout=120_000)
        tab_to(page, "#audited")
        page.keyboard.press("Space")
        tab_to(page, "#learn")
        page.keyboard.press("Enter")
        change = page.locator("#learn-change")
        playwright.expect(change).to_contain_text("Before and after", timeout=180_000)
        playwright.expect(page.locator("#note")).to_contain_text("audited")
        playwright.expect(page.locator("#audited")).to_be_checked()
        page.goto("about:blank")
    decided = json.loads((own / "decisions" / "decide.json").read_text())
    assert "audited" in json.dumps(decided)
    assert visit.errors == []


def test_what_could_not_be_saved_is_said_and_sent_again(visit, report_run, tmp_path):
    own = Path(shutil.copytree(report_run.run, tmp_path / "own.run"))
    with served(own, edit=True) as address:
        page = visit.page
        page.goto(f"{address}/cells?token=secret&desk=open")
        playwright.expect(page.locator("#desk")).to_be_visible()
        page.locator("#who-word").fill("ann")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#who-form")).to_be_hidden()
        answers = iter([("full", 507), ("gone", None)])

        def answer(route):
            word, status = next(answers, ("", 200))
            if status == 200:
                route.continue_()
            elif status is None:
                route.abort()
            else:
                route.fulfill(status=status, json={"detail": f"Nothing was saved: disk {word}."})

        page.route("**/api/desk/save", answer)
        page.locator("#gallery").focus()
        can_judge(page)
        page.keyboard.press("1")
        playwright.expect(page.locator("#unsaved")).to_contain_text("disk full")
        playwright.expect(page.locator("#unsaved")).to_contain_text("1 save is kept")
        playwright.expect(page.locator("#desk-note")).to_contain_text("1 cell", timeout=15_000)
        playwright.expect(page.locator("#unsaved")).to_be_hidden()
        page.goto("about:blank")
    assert len(annotations(RunFolder(own))) == 1


def test_the_desk_of_odd_names_and_of_a_telephone(odd_visit):
    page = odd_visit.page
    page.set_viewport_size({"width": 400, "height": 800})
    page.locator("#judge").click()
    playwright.expect(page.locator("#desk-closed")).to_contain_text("This page is for looking only")
    page.locator("#gallery").focus()
    page.keyboard.press("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert odd_visit.errors == []
