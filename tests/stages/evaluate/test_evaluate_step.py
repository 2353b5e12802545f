"""The evaluate step on run folders with a plate whose truth is known."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score

from cellwise.domain.steps import Job
from cellwise.domain.tables import FOLDS, PREDICTIONS, WELLS
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.evaluate.spec import Options
from cellwise.stages.evaluate.step import work
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.metrics import read_metrics
from cellwise.store.run.tables import read_table, write_table

CELLS_PER_WELL = 12


def _plate(*, midpoint=4.5, seed=0, effect=1.0):
    """Rows A, B (drug x) and E, F (drug y): negative 01, 02; doses 1..9 in 03..11; positive 12."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in "ABEF":
        for column in range(1, 13):
            label = {1: ("neg",), 2: ("neg",), 12: ("a",)}.get(column)
            dose = 0 if column <= 2 else column - 2
            height = effect if column == 12 else effect * expit(1.5 * (dose - midpoint))
            base = 0.05 + 0.9 * (height if column > 2 else 0) + rng.normal(0, 0.01)
            rows.append(
                {
                    "well": f"{row}{column:02d}",
                    "labels": None if label is None else list(label),
                    "fold": 0 if row in "AE" else 1,
                    "drug": "x" if row in "AB" else "y",
                    "dose": str(dose),
                    "p": np.clip(base + rng.normal(0, 0.03, CELLS_PER_WELL), 0.01, 0.99),
                }
            )
    return rows


def _write(run, rows, *, name="decide", wells=True):
    ending = "" if name == "decide" else f"_{name}"
    n = CELLS_PER_WELL
    p = np.concatenate([r["p"] for r in rows]).astype(np.float32)
    repeated = {
        key: [r[key] for r in rows for _ in range(n)]
        for key in ("well", "labels", "fold", "drug", "dose")
    }
    frame = pl.DataFrame(
        {
            "unit": ["cell"] * len(p),
            "part": ["train" if x else "unlabelled" for x in repeated["labels"]],
            "fold": repeated["fold"],
            "site_id": repeated["well"],
            "cell_id": [i + 1 for _ in rows for i in range(n)],
            **{key: [1.0] * len(p) for key in ("x", "y", "area")},
            "border": [False] * len(p),
            "Labels": [["a"] if value >= 0.5 else ["neg"] for value in p],
            "Weak_labels": repeated["labels"],
            "Uncertainty": [0.0] * len(p),
            "Metadata_Plate": ["P"] * len(p),
            "Metadata_Well": repeated["well"],
            "Prob_a": p,
            "Prob_neg": 1 - p,
        },
        schema_overrides={
            "fold": pl.Int32,
            "Weak_labels": pl.List(pl.String),
            "Labels": pl.List(pl.String),
        },
    )
    write_table(run.path / f"predictions{ending}.parquet", PREDICTIONS, frame, classes=("a", "neg"))
    decision = {"classes": ["a", "neg"], "negative": "neg", "pooling": "mean"}
    run.decision(name).parent.mkdir(exist_ok=True)
    run.decision(name).write_text(json.dumps(decision))
    if wells:
        table = pl.DataFrame(
            {
                "Metadata_Plate": ["P"] * len(rows),
                "Metadata_Well": [r["well"] for r in rows],
                "n_cells": [n] * len(rows),
                "Metadata_Drug": [r["drug"] for r in rows],
                "Metadata_Dose": [r["dose"] for r in rows],
                "Weak_labels": [r["labels"] for r in rows],
                "negative_control": [r["labels"] == ["neg"] for r in rows],
                "Condition": [f"{r['drug']} {r['dose']}" for r in rows],
                "Mean_a": [float(r["p"].mean()) for r in rows],
                "Mean_neg": [float(1 - r["p"].mean()) for r in rows],
            },
            schema_overrides={"Weak_labels": pl.List(pl.String)},
        )
        write_table(run.path / f"wells{ending}.parquet", WELLS, table)
    groups = pl.DataFrame(
        {
            "site_id": [r["well"] for r in rows],
            "fold": [r["fold"] for r in rows],
            "group": ["AE" if r["well"][0] in "AE" else "BF" for r in rows],
        },
        schema_overrides={"fold": pl.Int32},
    )
    write_table(run.folds, FOLDS, groups)


def _work(run, **options):
    job = Job(run.path, run.path, "evaluate", {"draws": 200, **options}, "key", seed=0)
    counts = work(job, lambda done, total, note: None)
    return counts, read_metrics(run.metrics), json.loads((run.path / "evaluation.json").read_text())


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def test_fields_that_name_no_well_are_no_well(run):
    _write(run, _plate())
    frame = read_table(run.predictions, PREDICTIONS)
    nameless = pl.col("site_id").is_in(["A01", "A02", "B01"])
    well = pl.when(~nameless).then("Metadata_Well").alias("Metadata_Well")
    write_table(run.predictions, PREDICTIONS, frame.with_columns(well), classes=("a", "neg"))
    _, metrics, _ = _work(run)
    assert metrics["site_macro_ap"].n == 12
    assert metrics["well_macro_ap"].n == 9


def test_a_good_plate_gets_good_figures(run):
    _write(run, _plate())
    counts, metrics, detail = _work(run)
    assert metrics["site_macro_ap"].value == metrics["well_macro_ap"].value == 1
    assert metrics["site_macro_ap"].n == 12
    assert metrics["site_accuracy"].value == 1
    assert metrics["z_prime"].value > 0.7
    assert metrics["z_prime"].n == 12
    assert metrics["z_prime"].low <= metrics["z_prime"].value <= metrics["z_prime"].high
    for drug in "xy":
        assert metrics[f"dose_midpoint_{drug}"].value == pytest.approx(4.5, abs=0.2)
        assert metrics[f"dose_r2_{drug}"].value > 0.98
        assert metrics[f"dose_spearman_{drug}"].value > 0.9
        assert metrics[f"dose_midpoint_{drug}"].n == 18
    assert metrics["replicate_icc"].value > 0.9
    assert counts["metrics"] == len(metrics)
    assert any("follows the column" in text for text in detail["warnings"])
    assert detail["sites"]["resampled"] == "fields"


def test_controls_are_no_points_of_the_curve(run):
    _write(run, _plate())
    _, _, detail = _work(run)
    for entry in detail["drugs"]:
        assert len(entry["points"]) == 18
        assert {point["dose"] for point in entry["points"]} == set(range(1, 10))
        assert len(entry["line"]) == 61


def test_macro_ap_equals_scikit_learn_on_pooled_fields(run):
    rows = _plate(effect=0.02, seed=3)
    _write(run, rows)
    _, metrics, _ = _work(run)
    known = [r for r in rows if r["labels"]]
    truth = np.array([r["labels"] == ["a"] for r in known])
    mean = np.array([r["p"].astype(np.float32).mean() for r in known])
    wanted = np.mean(
        [average_precision_score(truth, mean), average_precision_score(~truth, 1 - mean)]
    )
    assert metrics["site_macro_ap"].value == pytest.approx(wanted)
    assert metrics["site_macro_ap"].value < 1


def test_the_negative_control_stands_beside_the_model(run):
    _write(run, _plate())
    _write(run, _plate(effect=0.0), name="blind")
    _, metrics, detail = _work(run, negative_control="blind")
    assert metrics["negative_control_z_prime"].value < 0 < metrics["z_prime"].value
    assert abs(metrics["negative_control_dose_spearman_x"].value) < 0.6
    assert len(detail["negative_control"]["drugs"]) == 2


def test_labelled_fields_without_a_fold_prove_nothing(run):
    rows = _plate()
    for row in rows:
        row["fold"] = None
    _write(run, rows)
    _, metrics, detail = _work(run)
    assert "site_macro_ap" not in metrics
    assert any("nothing is tested" in text for text in detail["warnings"])


def test_a_run_without_wells_has_figures_of_fields_only(run):
    _write(run, _plate(), wells=False)
    _, metrics, _ = _work(run)
    assert "z_prime" not in metrics
    assert metrics["site_macro_ap"].value == 1


def test_one_well_and_constant_values_give_nulls_and_no_warning(run):
    rows = _plate()[:1]
    rows[0]["p"] = np.full(CELLS_PER_WELL, 0.5)
    _write(run, rows)
    _, metrics, detail = _work(run)
    assert metrics["site_macro_ap"].value is None
    assert detail["sites"]["apart"]["a"] == "only 0 positives"
    assert "NaN" not in (run.path / "evaluation.json").read_text()


def test_wells_with_nulls_are_left_out(run):
    _write(run, _plate())
    table = pl.read_parquet(run.wells).with_columns(
        Mean_a=pl.when(pl.col("Metadata_Well") == "A05").then(None).otherwise(pl.col("Mean_a"))
    )
    write_table(run.wells, WELLS, table)
    _, metrics, _ = _work(run)
    assert metrics["dose_midpoint_x"].n == 17


@pytest.mark.parametrize(
    ("spelled", "unit"), [("{} nM", "nM"), ("{},0", ""), ("0.00{} uM", "µM"), ("{}e0", "")]
)
def test_doses_are_the_same_in_every_spelling(run, spelled, unit):
    _write(run, _plate())
    _, plain, _ = _work(run)
    rows = _plate()
    for row in rows:
        row["dose"] = "" if row["dose"] == "0" else spelled.format(row["dose"])
    _write(run, rows)
    _, metrics, detail = _work(run)
    # Equally spaced doses are steps as they are, in whatever unit.
    scale = 1000 if unit == "µM" else 1
    midpoint = metrics["dose_midpoint_x"].value * scale
    assert midpoint == pytest.approx(plain["dose_midpoint_x"].value, rel=1e-4)
    assert {drug["unit"] for drug in detail["drugs"]} == {unit}
    amounts = sorted({p["amount"] * scale for p in detail["drugs"][0]["points"]})
    assert amounts == pytest.approx(list(range(1, 10)))
    assert detail["warnings"] == plain_warnings(detail)


def plain_warnings(detail):
    """The doses of this plate follow its columns, and nothing else is to be said."""
    return [text for text in detail["warnings"] if "follows the column" in text]


def test_doses_that_cannot_be_read_are_counted_and_why_there_is_no_curve_is_said(run):
    rows = _plate()
    for row in rows:
        row["dose"] = "low" if row["well"] == "A05" else row["dose"]
    _write(run, rows)
    _, metrics, detail = _work(run)
    assert metrics["dose_midpoint_x"].n == 17
    assert any("Dose: 1 of 48 wells without a number" in text for text in detail["warnings"])
    for row in rows:
        row["dose"] = "high" if row["well"] > "B" else "low"
    _write(run, rows)
    _, metrics, detail = _work(run)
    assert "dose_midpoint_x" not in metrics
    (warning,) = detail["warnings"]
    assert warning.endswith("('high' (36), 'low' (12)); there is no dose-response.")


def test_the_same_run_gives_the_same_bytes(run):
    _write(run, _plate())
    _work(run)
    first = run.metrics.read_bytes()
    _work(run)
    assert run.metrics.read_bytes() == first


def test_evaluate_before_decide_and_bad_options_are_refused(run):
    with pytest.raises(PreflightError, match="'decide' step"):
        _work(run)
    for options in ({"pooling": "median"}, {"draws": 0}, {"draws": True}):
        with pytest.raises(BadOption):
            Options.of(options)


def test_the_context_of_label_sets_is_a_figure_both_ways_where_a_decision_has_it(run):
    _write(run, _plate())
    _, metrics, detail = _work(run)
    assert "context" not in detail
    path = run.decision("decide")
    figures = {
        name: {"value": value, "low": value - 0.1, "high": value + 0.1}
        for name, value in (("without", 0.6), ("with", 0.7), ("difference", 0.1))
    }
    sets = {"gain": 0.4, "used": True, "labelled": {"fields": 9, **figures}}
    path.write_text(json.dumps({**json.loads(path.read_text()), "sets": sets}))
    _, told, detail = _work(run)
    assert set(told) - set(metrics) == {f"site_macro_ap_context_{name}" for name in figures}
    found = told["site_macro_ap_context_with"]
    assert (found.value, found.n, found.unit) == (0.7, 9, "site")
    assert (detail["context"]["used"], detail["context"]["gain"]) == (True, 0.4)
    # A decision of before says nothing of labelled fields.
    path.write_text(json.dumps({**json.loads(path.read_text()), "sets": {"gain": 0.4}}))
    assert "context" not in _work(run)[2]
