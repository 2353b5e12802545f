"""The split step on run folders: which column, what leaks, what cannot be tested."""

import json

import numpy as np
import polars as pl
import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import FOLDS, PIXELS, SITES
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.split._choice import choose_column
from cellwise.stages.split.spec import Options
from cellwise.stages.split.step import work
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table


def _run(folder, rows, *, pixels=None, classes=("a", "b"), negative=None):
    """A run folder whose sites are `(id, labels, part, metadata)`."""
    file = (ChannelFile(Channel("dna", "nucleus"), ("x.png",)),)
    sites = [Site(i, i, file, part, labels, dict(meta)) for i, labels, part, meta in rows]
    run = RunFolder(folder)
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    reading = {"classes": {"names": list(classes), "negative": negative}}
    run.reading.write_text(json.dumps(reading))
    if pixels is not None:
        frame = pl.DataFrame(
            {
                "site_id": list(pixels),
                "channel": ["dna"] * len(pixels),
                "sha256": list(pixels.values()),
                "minimum": [0.0] * len(pixels),
                "maximum": [1.0] * len(pixels),
                "mean": [0.5] * len(pixels),
                "saturated": [0.0] * len(pixels),
                "focus": [1.0] * len(pixels),
                "flags": [[] for _ in pixels],
            },
            schema_overrides={"flags": pl.List(pl.String)},
        )
        write_table(run.pixels, PIXELS, frame)
    return run


def _work(run, *, fitted=None, **options):
    notes = []
    job = Job(run.path, run.path, "split", options, "key", seed=0, fitted=fitted)
    counts = work(job, lambda done, total, note: notes.append((done, total, note)))
    folds = {r["site_id"]: r for r in read_table(run.folds, FOLDS).to_dicts()}
    account = run.path / "split.json"
    return counts, folds, json.loads(account.read_text()) if account.exists() else None


def _plate(**extra):
    """Like the translocation plate: controls in rows A+E (replicate 1) and B+F (replicate 2)."""
    rows = []
    for row, replicate in (("A", "1"), ("E", "1"), ("B", "2"), ("F", "2")):
        for column, label in ((1, "neg"), (2, "neg"), (5, None), (12, "pos")):
            meta = {"Well": f"{row}{column:02d}", "Replicate": replicate, **extra}
            rows.append(
                (
                    f"{row}{column:02d}",
                    (label,) if label else None,
                    "train" if label else "unlabelled",
                    meta,
                )
            )
    return rows


def test_dose_wells_get_the_fold_of_the_controls_in_their_rows(tmp_path):
    run = _run(tmp_path, _plate(), classes=("pos", "neg"), negative="neg")
    counts, folds, account = _work(run)
    assert account["by"] == ["Metadata_Replicate"]
    assert len({folds[f"{row}{c}"]["fold"] for row in "AE" for c in ("01", "02", "05", "12")}) == 1
    assert folds["A05"]["fold"] != folds["B05"]["fold"]
    assert folds["A05"]["group"] == "1"
    assert counts == {"folds": 2, "labelled": 12, "groups": 2, "with_fold": 16, "warnings": 0}
    assert {r["class"]: r["folds"] for r in account["balance"]} == {"pos": [2, 2], "neg": [4, 4]}


def test_nothing_leaks_over_the_grouping_used_and_the_rest_is_reported(tmp_path):
    rows = [
        (f"s{i}", ("a" if i % 2 else "b",), "train", {"Plate": f"p{i // 2}", "Cell": f"c{i % 2}"})
        for i in range(8)
    ]
    _, _, account = _work(_run(tmp_path, rows), by="Metadata_Plate")
    leaks = {row["column"]: row for row in account["leaks"]}
    assert leaks["Metadata_Plate"]["straddling"] == leaks["group"]["straddling"] == 0
    assert leaks["Metadata_Plate"]["used"]
    assert leaks["Metadata_Cell"]["straddling"] == 2
    assert leaks["Metadata_Cell"]["examples"] == ["c0", "c1"]


def test_exact_copies_stay_together_whatever_the_grouping(tmp_path):
    rows = [(f"s{i}", ("a",), "train", {}) for i in range(6)]
    pixels = {"s0": "same", "s1": "1", "s2": "2", "s3": "3", "s4": "4", "s5": "same"}
    for seed_by in ("site", "auto"):
        _, folds, account = _work(_run(tmp_path, rows, pixels=pixels, classes=("a",)), by=seed_by)
        assert folds["s0"]["fold"] == folds["s5"]["fold"]
        assert next(r for r in account["leaks"] if r["column"] == "copies")["straddling"] == 0


def test_test_sites_have_no_fold_and_their_copies_are_named(tmp_path):
    rows = [("s0", ("a",), "train", {}), ("s1", ("a",), "train", {}), ("t0", ("a",), "test", {})]
    run = _run(tmp_path, rows, pixels={"s0": "x", "s1": "y", "t0": "x"}, classes=("a",))
    _, folds, account = _work(run)
    assert folds["t0"]["fold"] is None
    assert any("Exact copies" in text and "t0" in text for text in account["warnings"])


def test_sites_that_could_not_be_decoded_take_no_part(tmp_path):
    rows = [(f"s{i}", ("a",), "train", {}) for i in range(3)]
    _, folds, _ = _work(_run(tmp_path, rows, pixels={"s0": "x", "s1": "y"}, classes=("a",)))
    assert folds["s2"]["fold"] is None


def test_a_class_in_one_group_is_named(tmp_path):
    rows = [(f"s{i}", ("a", "b") if i == 0 else ("a",), "train", {}) for i in range(4)]
    _, _, account = _work(_run(tmp_path, rows, classes=("a", "b", "never")))
    assert any("'b' lies in one group only" in text for text in account["warnings"])
    assert any("'never' has no labelled field" in text for text in account["warnings"])


def test_all_classes_without_a_field_are_named_in_one_sentence(tmp_path):
    rows = [(f"s{i}", ("a",), "train", {}) for i in range(4)]
    _, _, account = _work(_run(tmp_path, rows, classes=("a", "b", "c", "d")))
    (said,) = (text for text in account["warnings"] if "no labelled field" in text)
    assert said == "3 classes have no labelled field: b, c, d."


def test_several_columns_join_into_components(tmp_path):
    rows = [
        ("s0", ("a",), "train", {"Plate": "1", "Antibody": "x"}),
        ("s1", ("a",), "train", {"Plate": "2", "Antibody": "x"}),
        ("s2", ("a",), "train", {"Plate": "2", "Antibody": "y"}),
        ("s3", ("a",), "train", {"Plate": "3", "Antibody": "z"}),
    ]
    run = _run(tmp_path, rows, classes=("a",))
    _, folds, _ = _work(run, by=["Metadata_Plate", "Metadata_Antibody"])
    assert folds["s0"]["fold"] == folds["s1"]["fold"] == folds["s2"]["fold"] != folds["s3"]["fold"]


def test_plates_of_two_experiments_are_different_plates(tmp_path):
    rows = [
        (f"s{e}{p}", ("a",), "train", {"Experiment": e, "Plate": p}) for e in "AB" for p in "12"
    ]
    _, folds, _ = _work(_run(tmp_path, rows, classes=("a",)), by="Metadata_Plate")
    assert {row["group"] for row in folds.values()} == {"A/1", "A/2", "B/1", "B/2"}


def test_auto_passes_over_a_column_that_would_hide_a_class(tmp_path):
    rows = [
        (
            f"s{i}",
            ("a" if i < 4 else "b",),
            "train",
            {"Plate": "1" if i < 4 else "2", "Well": f"A0{i + 1}"},
        )
        for i in range(8)
    ]
    _, _, account = _work(_run(tmp_path, rows))
    assert account["by"] == ["Metadata_Well"]
    assert "2 of 2 classes" in account["passed_over"]["Metadata_Plate"]


def test_auto_keeps_the_column_when_one_of_many_classes_lies_in_one_group():
    antibody = [f"ab{i // 2}" for i in range(20)]
    labels = np.zeros((20, 6), dtype=bool)
    labels[np.arange(20), np.arange(20) % 5] = True
    labels[:2, 5] = True
    columns = {"Metadata_Antibody": antibody, "Metadata_Well": [f"w{i}" for i in range(20)]}
    chosen = choose_column(columns, [None] * 20, labels, np.ones(20, dtype=bool), folds=2)
    assert chosen.column == "Metadata_Antibody"


def test_images_of_one_sample_stay_together_even_if_every_class_lies_in_one_sample(tmp_path):
    rows = [
        (f"s{i}", ("a",) if i < 4 else ("b",), "train", {"Sample": "x" if i < 4 else "y"})
        for i in range(8)
    ]
    _, folds, account = _work(_run(tmp_path, rows))
    assert account["by"] == ["Metadata_Sample"]
    assert len({folds[f"s{i}"]["fold"] for i in range(4)}) == 1


def test_auto_falls_to_the_single_site_without_a_useful_column(tmp_path):
    rows = [(f"s{i}", ("a",), "train", {"Plate": "only"}) for i in range(4)]
    _, folds, account = _work(_run(tmp_path, rows, classes=("a",)))
    assert account["by"] == ["site"]
    assert folds["s1"]["group"] == "site:s1"


def test_prediction_with_a_finished_run_needs_no_labels(tmp_path):
    rows = [("s0", None, "unlabelled", {})]
    counts, folds, _ = _work(_run(tmp_path, rows), fitted=tmp_path)
    assert counts["with_fold"] == 0
    assert folds["s0"] == {"site_id": "s0", "fold": None, "group": None}


@pytest.mark.parametrize(
    "options",
    [
        {"folds": 1},
        {"folds": True},
        {"by": []},
        {"by": ["auto", "Metadata_Plate"]},
        {"method": "grouppd"},
        {"by": 3},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises((BadOption, KeyError)):
        Options.of(options)


def test_an_unknown_column_is_refused_with_the_nearest_name(tmp_path):
    run = _run(tmp_path, [("s0", ("a",), "train", {"Plate": "1"})])
    with pytest.raises(BadOption, match="Did you mean 'Metadata_Plate'"):
        _work(run, by="Metadata_Plates")


def test_no_label_at_all_is_refused(tmp_path):
    with pytest.raises(PreflightError, match="Label more fields"):
        _work(_run(tmp_path, [("s0", None, "unlabelled", {})]))


def test_time_points_of_one_field_share_a_fold_whatever_is_chosen(tmp_path):
    rows = [
        (f"f{field}_t{time}", (("a", "b")[field % 2],), "train", {"TimeSeries": f"f{field}"})
        for field in range(8)
        for time in range(3)
    ]
    for by in ("auto", "site"):
        _, folds, _ = _work(_run(tmp_path, rows), by=by)
        for field in range(8):
            assert len({folds[f"f{field}_t{time}"]["fold"] for time in range(3)}) == 1
        assert len({row["group"] for row in folds.values()}) == 8


@pytest.mark.parametrize("strata", ["Metadata_Source", ["Metadata_Source"]])
def test_strata_are_shared_out_as_classes_are(tmp_path, strata):
    """Sources that follow no class lie evenly over the folds, and groups stay whole."""
    generator = np.random.default_rng(5)
    rows = []
    for number in range(60):
        label = ("a", "b")[int(generator.integers(2))]
        source = "public" if number % 10 < 2 else "own"
        rows.append(
            (f"s{number:02d}", (label,), "train", {"Source": source, "Protein": str(number)})
        )
    run = _run(tmp_path, rows)
    _, folds, account = _work(run, folds=4, by="site", strata=strata)
    public = [folds[site]["fold"] for site, _, _, meta in rows if meta["Source"] == "public"]
    assert np.bincount(public, minlength=4).tolist() == [3, 3, 3, 3]
    assert [row["class"] for row in account["balance"]] == ["a", "b"]


def test_a_stratum_that_does_not_exist_is_refused(tmp_path):
    run = _run(tmp_path, [("x", ("a",), "train", {"Source": "own"}), ("y", ("b",), "train", {})])
    with pytest.raises(BadOption, match=r"share out.*Metadata_Source"):
        _work(run, by="site", strata="Metadata_Sorce")
