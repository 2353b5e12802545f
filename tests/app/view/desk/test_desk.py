"""Verdicts of the page: kept with all that product.md lists, taken back, never lost or doubled."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.app.view.desk.conftest import AtDesk

from cellwise.app.view.data.opened import cells_stamp
from cellwise.app.view.desk.desk import unwritable
from cellwise.app.view.desk.seen import said_of_class
from cellwise.app.view.desk.verdicts import later, said_of_cell, said_of_classes
from cellwise.domain.classes import ClassList
from cellwise.domain.records import Masks
from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import PreflightError, StorageError, UsageError
from cellwise.store.annotations import saves
from cellwise.store.annotations.saves import annotations
from cellwise.store.run.masks import mask_key, read_masks, write_masks
from cellwise.store.run.tables import read_table, write_table

ARCHIVES = Path(__file__).parents[3] / "archives"


def test_a_save_holds_who_when_how_drawn_what_the_model_said_and_the_outline(at_desk):
    opened = at_desk.desk.opened
    at_desk.say([13, 14], "no", queue="uncertain")
    at_desk.desk.finish()
    table = read_table(opened.run.annotations / "annotations.parquet", ANNOTATIONS)
    assert table.columns == list(ANNOTATIONS.columns)
    one = table.to_dicts()[0]
    site = opened.cells.fields.ids[opened.cells.site[13]]
    assert (one["site_id"], one["cell_id"]) == (site, opened.cells.cell[13])
    assert one["mask_key"] == mask_key(opened.run.masks, site)
    assert (one["verdict"], one["who"], one["drawn"]) == ("no", "ann", "uncertain")
    assert one["when"].startswith("2026-05-01T00:00:0")
    assert one["model_said"] == pytest.approx(opened.cells.chances.of_class(0)[13])
    drawn = np.zeros_like(read_masks(opened.run.masks, site).cells)
    for y, x, length in np.array(one["outline"]).reshape(-1, 3):
        drawn[y, x : x + length] = 1
    assert np.array_equal(drawn == 1, read_masks(opened.run.masks, site).cells == one["cell_id"])


def test_a_request_that_is_sent_twice_is_kept_once(at_desk):
    stamp = cells_stamp(at_desk.desk.opened.run)
    for verdict in ("yes", "no"):
        at_desk.desk.save("ab" * 8, [3], {"inside": verdict}, who="ann", cells=stamp)
    assert at_desk.holds() == [(3, "inside", "yes", "ann")]


def test_what_is_taken_back_is_as_it_was_before_and_may_be_taken_back_again(at_desk):
    at_desk.say([1, 2], "yes")
    second = at_desk.say([2, 3], "no")["save"]
    undone = at_desk.desk.undo(at_desk.name(), second, who="ann")
    assert undone["rows"] == [2, 3]
    assert at_desk.holds("row", "verdict") == [(1, "yes"), (2, "yes")]
    at_desk.desk.undo(at_desk.name(), undone["save"], who="ann")
    assert at_desk.holds("row", "verdict") == [(1, "yes"), (2, "no"), (3, "no")]


def test_two_verdicts_on_one_cell_are_both_taken_back_and_both_given_again(at_desk):
    def back(save):
        return at_desk.desk.undo(at_desk.name(), save, who="ann")["save"]

    first, second = (at_desk.say([2], verdict)["save"] for verdict in ("yes", "no"))
    third = at_desk.say([2], "unsure")["save"]
    backs = [back(third), back(second)]
    assert at_desk.holds("row", "verdict") == [(2, "yes")]
    again = back(backs.pop())
    assert at_desk.holds("row", "verdict") == [(2, "no")]
    back(again)
    assert at_desk.holds("row", "verdict") == [(2, "yes")]
    back(first)
    assert at_desk.holds("row", "verdict") == []


def test_what_was_said_since_stays_and_others_cannot_take_it_back(at_desk):
    first = at_desk.say([1, 2], "yes")["save"]
    at_desk.say([2], "no")
    with pytest.raises(UsageError, match="no such save of yours"):
        at_desk.desk.undo(at_desk.name(), first, who="bob")
    assert at_desk.desk.undo(at_desk.name(), first, who="ann")["changed_since"] == 1
    assert at_desk.holds("row", "verdict") == [(2, "no")]


def test_two_people_who_differ_are_both_kept_and_shown(at_desk):
    at_desk.say([5], "yes", who="ann")
    after = at_desk.say([5, 6], "no", who="bob")
    assert after["contradicted"] == [5]
    assert at_desk.desk.state("ann")["contradicted"] == 1
    said = said_of_class(at_desk.desk.opened, "inside", "ann")
    assert said["mine"] == [[5, "yes"]]
    assert said["others"] == [[5, "no", "bob"], [6, "no", "bob"]]
    # Who is unsure contradicts nobody.
    at_desk.say([6], "unsure", who="ann")
    assert at_desk.desk.state("ann")["contradicted"] == 1


def test_the_last_word_holds_though_an_imported_one_is_of_the_future(at_desk):
    at_desk.say([7], "yes")
    opened = at_desk.desk.opened
    rows = annotations(opened.run).with_columns(when=pl.lit("2031-01-01T00:00:00+00:00"))
    saves.save(opened.run, rows)
    at_desk.say([7], "no")
    assert at_desk.holds("row", "verdict") == [(7, "no")]


def test_times_go_on():
    first = later("2026-01-01T10:00:00+02:00", "2026-01-01T09:00:00")
    assert first == "2026-01-01T09:00:00.000001+00:00"
    assert later(first) > first
    assert later("2026-01-01") > "2026-01-01T23:59:59"


def test_chance_is_said_only_of_cells_that_chance_drew(at_desk):
    from cellwise.app.view.desk.exchange import draw

    assert draw(at_desk.desk, 10) == 10
    drawn = pl.read_csv(at_desk.desk.opened.run.annotations / "draw.csv")
    cells = at_desk.desk.opened.cells
    first = cells.row_of(*drawn.select("site_id", "cell_id").row(0))
    chosen = {cells.row_of(*place) for place in drawn.select("site_id", "cell_id").rows()}
    other = next(row for row in range(len(cells)) if row not in chosen)
    at_desk.say([first, other], queue="random")
    assert set(at_desk.holds("row", "drawn")) == {(first, "random"), (other, "picked")}


def test_a_field_that_was_segmented_anew_keeps_verdicts_by_outline(at_desk):
    opened = at_desk.desk.opened
    at_desk.say([4], "yes")
    site, number = opened.cells.fields.ids[opened.cells.site[4]], int(opened.cells.cell[4])
    masks = read_masks(opened.run.masks, site)
    other = int(masks.cells.max())
    assert other != number
    swapped = masks.cells.copy()
    swapped[masks.cells == number], swapped[masks.cells == other] = other, number
    write_masks(opened.run.masks, site, Masks(swapped, masks.nuclei))
    at_desk.say([0], "no")
    # The cell of that outline is another row now.
    assert at_desk.holds("row")[-1] == (opened.cells.row_of(site, other),)


def test_a_cell_of_other_masks_than_the_table_is_not_judged(at_desk):
    opened = at_desk.desk.opened
    site = opened.cells.fields.ids[opened.cells.site[4]]
    masks = read_masks(opened.run.masks, site)
    write_masks(opened.run.masks, site, Masks(np.roll(masks.cells, 9, 1), masks.nuclei))
    with pytest.raises(PreflightError, match="segmented again"):
        at_desk.say([4])
    assert at_desk.holds() == []


def test_rows_of_another_table_of_cells_are_refused(at_desk):
    with pytest.raises(PreflightError, match="found again"):
        at_desk.desk.save("ab" * 8, [1], {"inside": "yes"}, who="ann", cells="another")


def test_rows_of_tables_that_are_being_exchanged_are_refused(at_desk):
    before = at_desk.desk.state("ann")["cells"]
    run = at_desk.desk.opened.run
    content = run.cells.read_bytes()
    run.cells.unlink()
    run.cells.write_bytes(content)
    after = cells_stamp(run)
    assert after != before
    # The server has not looked at the folder since: its rows are those of the tables before.
    assert at_desk.desk.state("ann")["cells"] == before
    for stamp in (before, after):
        with pytest.raises(PreflightError, match="found again"):
            at_desk.desk.save("ab" * 8, [1], {"inside": "yes"}, who="ann", cells=stamp)


def test_a_full_disk_is_said_and_the_same_request_goes_through_later(at_desk, monkeypatch):
    stamp = cells_stamp(at_desk.desk.opened.run)
    real, turns = write_table, []

    def full(path, *rest, **more):
        turns.append(path.name)
        if len(turns) < 3:
            raise StorageError(errno.ENOSPC, f"Cannot write {path}: No space left on device.")
        return real(path, *rest, **more)

    monkeypatch.setattr(saves, "write_table", full)
    for _ in range(2):
        with pytest.raises(StorageError, match="No space left"):
            at_desk.desk.save("ab" * 8, [1], {"inside": "yes"}, who="ann", cells=stamp)
    at_desk.desk.save("ab" * 8, [1], {"inside": "yes"}, who="ann", cells=stamp)
    assert at_desk.holds() == [(1, "inside", "yes", "ann")]
    assert sum(name.startswith("save-desk-") for name in turns) == 3


def test_the_desk_says_why_it_is_closed(at_desk):
    run = at_desk.desk.opened.run
    assert at_desk.desk.closed() == ""
    run.annotations.write_text("a file where the folder should be")
    assert "cannot be written" in unwritable(run)
    assert "Cells can be looked at" in at_desk.desk.state("ann")["why"]
    with pytest.raises(PreflightError, match="cannot be written"):
        at_desk.say([1])


def test_a_torn_save_is_named_and_nothing_is_written_over_it(at_desk):
    at_desk.say([1])
    torn = at_desk.desk.opened.run.annotations / "save-other.parquet"
    torn.write_bytes(b"PAR1 torn")
    assert "save-other.parquet" in at_desk.desk.closed()
    with pytest.raises(PreflightError, match="Move that file away"):
        at_desk.say([2])
    torn.unlink()
    at_desk.say([2])
    assert len(at_desk.holds()) == 2


def test_all_classes_at_once():
    classes = ClassList(("a", "b", "none"), "none")
    assert said_of_cell(["b"], classes) == {"a": "no", "b": "yes"}
    assert said_of_cell(["none"], classes) == said_of_cell([], classes) == {"a": "no", "b": "no"}
    assert said_of_cell(None, classes) == {"a": "unsure", "b": "unsure"}
    with pytest.raises(UsageError, match="stands alone"):
        said_of_cell(["a", "none"], classes)
    with pytest.raises(UsageError, match="no class 'c'"):
        said_of_cell(["c"], classes)
    with pytest.raises(UsageError, match="no class 'none'"):
        said_of_classes({"none": "yes"}, classes)
    with pytest.raises(UsageError, match="not 'maybe'"):
        said_of_classes({"a": "maybe"}, classes)


def test_runs_of_old_formats_are_judged_or_say_why_not(tmp_path):
    told = {}
    for path in sorted(ARCHIVES.glob("format-*")):
        at = AtDesk(Path(shutil.copytree(path, tmp_path / path.name)))
        told[path.name] = at.desk.state("ann")["why"]
        if not told[path.name]:
            name = at.desk.classes().positive[0]
            at.say([0], "no", name=name)
            assert at.holds() == [(0, name, "no", "ann")]
    assert told
    assert set(told.values()) <= {"", "This run has no classes that its cells could be judged for."}


def test_a_page_of_the_server_before_may_still_save(at_desk):
    script = (
        "import sys; from pathlib import Path; from cellwise.store.run.folder import RunFolder; "
        "from cellwise.app.view.data.opened import cells_stamp; "
        "print(cells_stamp(RunFolder(Path(sys.argv[1]))))"
    )
    path = at_desk.desk.opened.run.path
    words = [sys.executable, "-c", script, str(path)]
    other = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert other == cells_stamp(at_desk.desk.opened.run)
