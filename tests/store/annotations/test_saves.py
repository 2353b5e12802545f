"""Saves are added and never changed; what holds now follows from all of them."""

import itertools

import polars as pl
import pytest

from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import FormatError
from cellwise.store.annotations.saves import MERGED, Saves, annotations, latest, merge, save
from cellwise.store.annotations.tables import read_verdicts
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import empty_frame, read_table, write_table


def rows(*said, site="s"):
    """Rows of `(cell, class, verdict, drawn, who, when)`."""
    names = ("cell_id", "class", "verdict", "drawn", "who", "when")
    frame = pl.DataFrame([dict(zip(names, one, strict=True)) for one in said])
    more = {"site_id": site, "mask_key": "k", "x": 1.0, "y": 2.0, "model_said": 0.5}
    frame = frame.with_columns(
        *(pl.lit(value).alias(name) for name, value in more.items()),
        pl.Series("outline", [[0, 0, 2]] * len(said)),
    ).select(list(ANNOTATIONS.columns))
    return frame.cast(empty_frame(ANNOTATIONS).schema)


def test_the_last_verdict_of_a_person_holds_and_two_people_are_both_kept(tmp_path):
    run = RunFolder(tmp_path)
    first = save(run, rows((1, "a", "yes", "queue", "ann", "2026-01-01")))
    bytes_before = first.read_bytes()
    save(run, rows((1, "a", "no", "import", "ann", "2026-01-02")))
    save(run, rows((1, "a", "yes", "import", "bob", "2026-01-01")))
    found = annotations(run)
    assert found.select("who", "verdict").rows() == [("ann", "no"), ("bob", "yes")]
    assert read_table(run.annotations / "annotations.parquet", ANNOTATIONS).equals(found)
    assert first.read_bytes() == bytes_before
    assert len(list(run.annotations.glob("save-*.parquet"))) == 3


def test_a_save_that_is_there_is_not_made_again(tmp_path):
    run = RunFolder(tmp_path)
    one = save(run, rows((1, "a", "yes", "queue", "ann", "2026")), name="n")
    save(run, rows((1, "a", "no", "queue", "ann", "2027")), name="n")
    assert annotations(run)["verdict"].to_list() == ["yes"]
    assert one.name == "save-n.parquet"


def test_what_holds_does_not_depend_on_the_order_of_saves():
    parts = [
        rows((1, "a", "yes", "random", "ann", "2026-01-01"), (2, "a", "no", "q", "ann", "2026")),
        rows((1, "a", "no", "q", "ann", "2026-01-03")),
        rows((1, "a", "yes", "q", "ann", "2026-01-03"), (1, "b", "unsure", "q", "", "2026")),
    ]
    found = [latest(pl.concat(order)) for order in itertools.permutations(parts)]
    assert all(one.drop("drawn").equals(found[0].drop("drawn")) for one in found)
    by = {(c, k): (v, d) for c, k, v, d in found[0]["cell_id", "class", "verdict", "drawn"].rows()}
    # Said both at one time: unsure. Once drawn at random: always.
    assert by == {(1, "a"): ("unsure", "random"), (2, "a"): ("no", "q"), (1, "b"): ("unsure", "q")}


def test_other_words_than_verdicts_are_refused(tmp_path):
    with pytest.raises(FormatError, match="not 'perhaps'"):
        save(RunFolder(tmp_path), rows((1, "a", "perhaps", "q", "ann", "2026")))
    assert not (tmp_path / "annotations").exists()


def test_a_torn_save_is_named(tmp_path):
    run = RunFolder(tmp_path)
    save(run, rows((1, "a", "yes", "q", "ann", "2026"))).write_bytes(b"PAR1 torn")
    with pytest.raises(FormatError, match="save-"):
        annotations(run)


def test_what_is_withdrawn_is_as_if_nobody_had_judged_the_cell(tmp_path):
    run = RunFolder(tmp_path)
    save(run, rows((1, "a", "yes", "random", "ann", "2026-01-01")))
    save(run, rows((1, "a", "withdrawn", "random", "ann", "2026-01-02")))
    assert len(annotations(run)) == 0
    assert len(read_table(run.annotations / "annotations.parquet", ANNOTATIONS)) == 0
    # Given again from a queue: chance did not bring it this time.
    save(run, rows((1, "a", "no", "uncertain", "ann", "2026-01-03")))
    assert annotations(run).select("verdict", "drawn").rows() == [("no", "uncertain")]


def test_a_save_that_comes_while_the_table_is_written_is_in_the_table(tmp_path, monkeypatch):
    from cellwise.store.annotations import saves

    run = RunFolder(tmp_path)
    save(run, rows((1, "a", "yes", "q", "ann", "2026")))
    real, turns = write_table, []

    def slow(path, kind, frame):
        turns.append(len(frame))
        if len(turns) == 1:
            other = rows((2, "a", "no", "q", "bob", "2026"))
            real(saves.save_path(run, "of-another-process"), kind, other)
        real(path, kind, frame)

    monkeypatch.setattr(saves, "write_table", slow)
    merge(run)
    assert turns == [1, 2]
    assert len(read_table(run.annotations / "annotations.parquet", ANNOTATIONS)) == 2


def test_saves_that_are_read_one_by_one_hold_what_they_hold_together(tmp_path):
    run = RunFolder(tmp_path)
    said = [
        ((1, "a", "yes", "random", "ann", "2026-01-01"), (2, "a", "no", "q", "ann", "2026-01-01")),
        ((1, "a", "no", "q", "ann", "2026-01-03"),),
        ((1, "a", "yes", "q", "ann", "2026-01-03"), (2, "a", "withdrawn", "q", "ann", "2026-02")),
        ((2, "a", "yes", "q", "bob", "2026-01-02"), (2, "b", "yes", "q", "ann", "2026-01-02")),
    ]
    kept = Saves(run)
    for number, one in enumerate(said):
        path = save(run, rows(*one), name=str(number), merged=False)
        assert kept.holds().sort(ANNOTATIONS.sort).equals(latest(kept.rows()))
    assert not (run.annotations / MERGED).exists()
    path.unlink()
    assert kept.holds().sort(ANNOTATIONS.sort).equals(annotations(run))
    assert "bob" not in kept.holds()["who"].to_list()


def test_a_table_that_was_not_made_anew_since_is_read_with_all_saves(tmp_path):
    run = RunFolder(tmp_path)
    save(run, rows((1, "a", "yes", "q", "ann", "2026-01-01")), name="one")
    save(run, rows((2, "a", "no", "q", "ann", "2026-01-01")), name="two", merged=False)
    table = run.annotations / MERGED
    assert len(read_table(table, ANNOTATIONS)) == 1
    assert len(read_verdicts(table, ("a",), None).rows) == 2
    # Copied to another place it is all there is.
    copy = tmp_path / "annotations.parquet"
    copy.write_bytes(table.read_bytes())
    assert len(read_verdicts(copy, ("a",), None).rows) == 1
