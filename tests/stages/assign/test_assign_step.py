"""The step on small screens: three answers side by side, groups without the fold, controls."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.screens import Screen

from cellwise.domain.steps import Job
from cellwise.domain.tables import TREATMENTS
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.stages.assign.spec import Options
from cellwise.stages.assign.step import work
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table


def assign(run: RunFolder, *, fitted: Path | None = None, name="assign", scores="tiles", **options):
    chosen = Options.of({"from": scores, **options}).model_dump(by_alias=True)
    job = Job(run.path, run.path, name, chosen, "key", 0, fitted=fitted)
    counts = work(job, lambda *_: None)
    return read_table(run.treatments(name), TREATMENTS), read_json(run.assignment(name)), counts


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    return Screen(tmp_path_factory.mktemp("screen"), experiments=7)


@pytest.fixture(scope="module")
def decided(screen):
    return assign(screen.run, pseudo_labels=0.5)


def right(frame, column, screen):
    truth = [screen.truth[well] for well in frame["well"]]
    return (frame[column] == pl.Series(truth)).fill_null(value=False).mean()


def test_the_design_is_off_by_default_and_stands_beside(screen, decided):
    frame, content, counts = decided
    treated = frame.filter(pl.col("well_type") == "treatment")
    assert frame["answer"].equals(frame["answer_free"], check_names=False)
    shares = [right(treated, f"answer_{w}", screen) for w in ("free", "grouped", "assigned")]
    assert 0.3 < shares[0] < shares[1] < shares[2]
    assert content["design"] == "off"
    assert content["partition"]
    assert content["once"]
    assert sorted(map(len, content["groups"])) == [4] * 4
    assert counts["wells"] == len(frame) == 7 * 4 * 6
    assert counts["groups"] == 4
    assert counts["layouts_repeated"] == 0


@pytest.mark.parametrize(("design", "column"), [("groups", "grouped"), ("one_to_one", "assigned")])
def test_the_answer_is_what_was_asked_for(screen, decided, design, column):
    frame, _, _ = assign(screen.run, name="other", design=design)
    assert frame["answer"].equals(decided[0][f"answer_{column}"], check_names=False)


def test_a_well_is_the_mean_of_its_sites(screen, decided):
    treated = decided[0].filter(pl.col("well_type") == "treatment")
    total = {}
    for name, p, well, _, _, _, _, _, _, logits in screen.rows:
        key = f"{name}/{name}_{p}/{well}"
        total[key] = total.get(key, 0) + logits[2:]
    best = [screen.classes[2 + int(np.argmax(total[well]))] for well in treated["well"]]
    assert treated["answer_free"].to_list() == best


def test_a_treated_well_is_never_answered_with_a_control(decided):
    frame = decided[0]
    treated = frame.filter(pl.col("well_type") == "treatment")
    assert not treated["answer_free"].str.starts_with("c").any()
    controls = frame.filter(pl.col("well_type") != "treatment")
    assert controls["answer_free"].null_count() == 0
    assert controls["answer_assigned"].null_count() == len(controls)
    assert controls["group"].null_count() == len(controls)


def test_groups_of_a_fold_are_found_without_it(tmp_path):
    # Two training experiments, one per fold: what is left shows each group once, which is none.
    screen = Screen(tmp_path, experiments=3, tests=1)
    frame, content, _ = assign(screen.run)
    assert content["partition"]
    learned = frame.filter((pl.col("part") == "train") & (pl.col("well_type") == "treatment"))
    assert learned["group"].null_count() == len(learned)
    new = frame.filter((pl.col("part") == "test") & (pl.col("well_type") == "treatment"))
    assert new["group"].null_count() < len(new)


def test_pseudo_labels_are_of_new_treated_wells_once_per_plate(screen, decided):
    frame = decided[0].filter(pl.col("pseudo_label").is_not_null())
    assert (frame["part"] == "test").all()
    assert (frame["well_type"] == "treatment").all()
    assert not frame.select("plate", "pseudo_label").is_duplicated().any()
    assert decided[2]["pseudo_labels"] == len(frame) > 10
    assert right(frame, "pseudo_label", screen) > right(
        decided[0].filter((pl.col("part") == "test") & (pl.col("well_type") == "treatment")),
        "answer", screen,
    )  # fmt: skip


def test_a_plate_that_holds_a_treatment_twice_allows_no_assignment(tmp_path):
    frame, content, _ = assign(Screen(tmp_path, twice=True).run)
    assert not content["once"]
    assert frame["answer_assigned"].null_count() == len(frame)
    assert frame["answer_free"].null_count() == 0


def test_new_plates_are_decided_by_what_the_finished_run_knew(screen, decided, tmp_path):
    new = Screen(tmp_path, experiments=7, tests=7)
    with pytest.raises(FormatError, match="no such assignment"):
        assign(new.run, fitted=screen.run.path, name="another")
    frame, content, _ = assign(new.run, fitted=screen.run.path)
    assert content["groups"] == decided[1]["groups"]
    treated = frame.filter(pl.col("well_type") == "treatment")
    assert right(treated, "answer_free", new) < right(treated, "answer_grouped", new)


def test_a_repeated_layout_is_said_and_changes_no_answer(tmp_path):
    screen = Screen(tmp_path, experiments=4, tests=1, size=12, signal=9.0)
    _, content, _ = assign(screen.run)
    assert content["layouts"]["pairs"] == 0
    # The test experiment's plates get the layout of an experiment that was learned from.
    name = next(row[0] for row in screen.rows if row[7])
    others = {(p, w): k for n, p, w, _, k, *_ in screen.rows if n == "U2OS-00"}
    rng = np.random.default_rng(0)
    for place, row in enumerate(screen.rows):
        if row[0] == name:
            k = others[(row[1] % 4 + 1, row[2])]
            logits = rng.normal(size=len(screen.classes))
            logits[k] += 9
            screen.rows[place] = (*row[:4], k, *row[5:9], logits)
    screen._write(told=False)
    _, content, counts = assign(screen.run)
    assert counts["layouts_repeated"] == content["layouts"]["pairs"] == 4
    pairs = {(one["plate"], one["other"]) for one in content["layouts"]["surest"]}
    assert pairs == {(f"{name}/{name}_{p}", f"U2OS-00/U2OS-00_{p % 4 + 1}") for p in range(1, 5)}


def test_a_site_that_was_not_scored_and_a_cell_type_with_its_own_members(screen, tmp_path):
    own = Screen(tmp_path, experiments=4)
    rows = [(f"{n}_{p}_{w}_{s}", None if t else e % 2, -logits)
            for n, p, w, s, _, _, _, t, e, logits in own.rows]  # fmt: skip
    gone = f"{own.rows[0][0]}_1_B02"
    own.scores("upside_down", [row for row in rows if not row[0].startswith(gone)])
    one, _, _ = assign(own.run)
    two, _, _ = assign(own.run, scores=["tiles", "upside_down"], members={"U2OS": ["tiles"]},
                       name="two")  # fmt: skip
    of_type = pl.col("cell_type") == "U2OS"
    assert two.filter(of_type)["answer_free"].equals(one.filter(of_type)["answer_free"])
    assert not two.filter(~of_type)["answer_free"].equals(one.filter(~of_type)["answer_free"])
    three, _, _ = assign(own.run, scores="upside_down", name="three")
    lost = three.filter(pl.col("well").str.contains("U2OS-00_1/B02"))
    assert lost["answer"].to_list() == [None]
    assert three["answer"].null_count() == 1


def test_fields_without_wells_are_refused(tmp_path):
    screen = Screen(tmp_path, experiments=2)
    frame = pl.read_parquet(screen.run.sites)
    from cellwise.domain.tables import SITES
    from cellwise.store.run.tables import write_table

    write_table(screen.run.sites, SITES, frame.drop("Metadata_Well"))
    with pytest.raises(PreflightError, match="names its well"):
        assign(screen.run)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"from": []}, "score steps"),
        ({"temperature": 0}, "temperature"),
        ({"balance": -1}, "balance"),
        ({"pseudo_labels": 1.5}, "pseudo_labels"),
        ({"members": {"U2OS": ["else"]}}, "else"),
        ({"design": "leak"}, "design"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, said):
    with pytest.raises(BadOption, match=said):
        Options.of({"from": ["tiles"], **options})
