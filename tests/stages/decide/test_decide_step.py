"""The decide step: what predictions.parquet holds, and that it is as the product's page says."""

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.decide.decide_world import Field, RunMaker

from cellwise.domain.steps import Job
from cellwise.domain.tables import PREDICTIONS, SCORES, WELLS
from cellwise.errors import BadOption, FormatError
from cellwise.stages.decide import _fit, deciders, step
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._predictions import uncertainty
from cellwise.stages.decide.spec import Options
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

PLAIN = {"by": "none"}


def _fields():
    return [
        Field("s1", ("a",), [[2.0], [-1.0]], meta={"Plate": "P1", "Well": "A01", "Dose": "3"}),
        Field("s2", ("neg",), [[-3.0]], fold=1, meta={"Plate": "P1", "Well": "A02", "Dose": "0"}),
        Field(
            "s3", None, [[0.0]], part="unlabelled", fold=None, meta={"Plate": "P1", "Well": "A03"}
        ),
    ]


def test_columns_and_types_are_as_pinned(maker):
    run = maker.write(_fields())
    maker.decide(**PLAIN)
    schema = pq.read_schema(run.predictions)
    head = ["unit", "part", "fold", "site_id", "cell_id", "x", "y", "area", "border"]
    assert schema.names[:12] == [*head, "Labels", "Weak_labels", "Uncertainty"]
    assert schema.names[-2:] == ["Prob_a", "Prob_neg"]
    assert schema.field("Prob_a").type == pa.float32()
    assert schema.field("Labels").type == pa.list_(pa.string())
    assert schema.field("Metadata_Dose").type == pa.string()
    assert schema.field("Uncertainty").type == pa.float32()
    assert "Cells_Intensity_Mean_dna" in schema.names
    assert not {"shard", "row"} & set(schema.names)


def test_values_by_hand(maker):
    run = maker.write(_fields())
    maker.decide(**PLAIN)
    frame = read_table(run.predictions, PREDICTIONS)
    assert frame["site_id"].to_list() == ["s1", "s1", "s2", "s3"]
    assert frame["cell_id"].to_list() == [1, 2, 1, 1]
    assert frame["fold"].to_list() == [0, 0, 1, None]
    assert frame["part"].to_list() == ["train", "train", "train", "unlabelled"]
    assert frame["unit"].unique().to_list() == ["cell"]
    p = 1 / (1 + np.exp(-np.array([2.0, -1.0, -3.0, 0.0])))
    assert frame["Prob_a"].to_numpy() == pytest.approx(p)
    assert (frame["Prob_neg"] == 1 - frame["Prob_a"]).all()
    assert frame["Labels"].to_list() == [["a"], ["neg"], ["neg"], ["a", "neg"]]
    assert frame["Weak_labels"].to_list() == [["a"], ["a"], ["neg"], None]
    bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert frame["Uncertainty"].to_numpy() == pytest.approx(bits, rel=1e-5)


def test_negative_is_one_minus_the_largest_of_the_others(maker):
    fields = [Field("s", None, [[1.0, 2.0, -1.0]], part="unlabelled", fold=None)]
    run = maker.write(fields, classes=("a", "neg", "b", "c"))
    maker.decide(**PLAIN)
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    assert row["Prob_neg"] == pytest.approx(1 - row["Prob_b"])
    assert [n for n in row if n.startswith("Prob_")] == ["Prob_a", "Prob_neg", "Prob_b", "Prob_c"]


def test_negative_as_a_product_is_that_of_all_others(maker):
    fields = [Field("s", None, [[1.0, 2.0, -1.0]], part="unlabelled", fold=None)]
    run = maker.write(fields, classes=("a", "neg", "b", "c"))
    maker.decide(**PLAIN, negative="product")
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    others = (1 - row["Prob_a"]) * (1 - row["Prob_b"]) * (1 - row["Prob_c"])
    assert row["Prob_neg"] == pytest.approx(others)


def test_a_run_without_a_negative_class_has_none(maker):
    run = maker.write([Field("s", ("a",), [[-5.0]])], classes=("a",), negative=None)
    maker.decide(**PLAIN)
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    assert row["Labels"] == []


def test_thresholds_per_class_give_labels(maker):
    run = maker.write(_fields())
    maker.decide(**PLAIN, threshold={"a": 0.9})
    labels = read_table(run.predictions, PREDICTIONS)["Labels"].to_list()
    assert labels == [[], ["neg"], ["neg"], ["neg"]]
    with pytest.raises(BadOption, match="no class"):
        maker.decide(**PLAIN, threshold={"b": 0.9})


def test_several_score_sets_are_averaged_as_logits(maker):
    fields = _fields()
    run = maker.write(fields)
    fields[0].logits = [[0.0], [5.0]]
    maker.scores(fields, classes=("a", "neg"), negative="neg", name="second", missing={("s3", 1)})
    maker.decide(**PLAIN, from_=["main", "second"])
    found = read_table(run.predictions, PREDICTIONS)["Prob_a"].to_numpy()
    assert found == pytest.approx(1 / (1 + np.exp(-np.array([1.0, 2.0, -3.0, 0.0]))))


def test_cells_without_a_score_are_counted_and_left_out(maker):
    run = maker.write(_fields(), missing={("s1", 2)})
    counts = maker.decide(**PLAIN)
    assert counts["unscored"] == 1
    assert counts["cells"] == len(read_table(run.predictions, PREDICTIONS)) == 3


def test_only_out_of_fold_cells_of_labelled_fields_are_fitted_on(maker):
    fields = [*_fields(), Field("s4", ("a",), [[1.0]], part="test", fold=None)]
    run = maker.write(fields)
    assert maker.decide()["fields_used"] == 2
    decision = Decision.from_json(json.loads(run.decision("decide").read_text()))
    assert (decision.n_cells, decision.positives, decision.calibration) == (3, (1,), "weak")
    maker.scores(fields, classes=("a", "neg"), negative="neg", name="main", fold=7)
    assert maker.decide()["fields_used"] == 0
    assert json.loads(run.decision("decide").read_text())["calibration"] == "none"


def test_prediction_applies_the_finished_runs_decision(tmp_path):
    old = RunMaker(tmp_path / "old")
    rng = np.random.default_rng(0)
    old.write(
        [
            Field(f"s{i}", ("a",) if i % 2 else ("neg",), rng.normal(i % 2, 9, (5, 1)).tolist())
            for i in range(20)
        ]
    )
    old.decide()
    fitted = Decision.from_json(json.loads(old.run.decision("decide").read_text()))
    assert fitted.temperatures != (1.0,)
    new = RunMaker(tmp_path / "new")
    new.write(
        [Field("n", None, [[3.0]], part="unlabelled", fold=None)],
        classes=("q",),
        negative=None,
        scores="unused",
    )
    new.scores(
        [Field("n", None, [[3.0]], fold=None)], classes=("a", "neg"), negative="neg", name="main"
    )
    new.decide(fitted=old.run.path)
    row = read_table(new.run.predictions, PREDICTIONS).row(0, named=True)
    assert row["Prob_a"] == pytest.approx(1 / (1 + np.exp(-3.0 / fitted.temperatures[0])))
    with pytest.raises(FormatError, match="no decision 'other'"):
        new.decide(name="other", fitted=old.run.path)


def test_a_step_of_another_name_writes_beside_the_main_tables(maker):
    run = maker.write(_fields())
    maker.decide(**PLAIN, name="control")
    assert not run.predictions.exists()
    assert (run.path / "predictions_control.parquet").exists()
    assert (run.path / "wells_control.parquet").exists()
    assert run.decision("control").exists()


def test_more_than_64_classes_give_top_lists_and_an_array(maker):
    names = tuple(f"k{i:03d}" for i in range(70))
    rng = np.random.default_rng(0)
    fields = [
        Field(f"s{i}", (names[i],), rng.normal(-4, 1, (2, 70)).tolist(), meta={"Well": f"A0{i}"})
        for i in (3, 1)
    ]
    run = maker.write(fields, classes=names, negative=None)
    maker.decide(**PLAIN)
    frame = read_table(run.predictions, PREDICTIONS)
    chance = np.load(run.predictions.with_suffix(".npy"))
    assert chance.shape == (4, 70)
    assert chance.dtype == np.float32
    assert not [n for n in frame.columns if n.startswith("Prob_")]
    assert frame["site_id"].to_list() == ["s1", "s1", "s3", "s3"]
    for row, top, p in zip(chance, frame["top_classes"], frame["top_probs"], strict=True):
        order = np.argsort(-row)[:10]
        assert top.to_list() == [names[i] for i in order]
        assert p.to_numpy() == pytest.approx(row[order])
    marks = pq.read_schema(run.predictions).metadata
    assert json.loads(marks[b"cellwise_classes"]) == list(names)
    assert "Fraction_k000" not in read_table(run.wells, WELLS).columns


def test_a_run_without_cells_or_wells_ends_well(maker):
    run = maker.write([Field("s", ("a",), [])])
    assert maker.decide() == {"cells": 0, "unscored": 0, "wells": 0, "fields_used": 0}
    assert len(read_table(run.predictions, PREDICTIONS)) == 0
    assert not run.wells.exists()


def test_uncertainty_runs_from_sure_to_a_coin():
    chance = np.array([[0.0, 1.0], [0.5, 0.5]], np.float32)
    assert uncertainty(chance).tolist() == [0, 1]


def test_scores_over_other_classes_are_refused(maker):
    maker.write(_fields())
    maker.scores([Field("s1", None, [[1.0, 1.0]])], classes=("a", "b"), negative=None, name="main")
    with pytest.raises(FormatError, match="the run's classes are"):
        maker.decide(**PLAIN)


@pytest.mark.parametrize(
    "options",
    [
        {"from_": ""},
        {"from_": []},
        {"from_": "m", "threshold": 2},
        {"from_": "m", "threshold": {"a": "x"}},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(BadOption):
        Options.of(options)


def test_a_decision_survives_its_file_and_refuses_a_broken_one(maker):
    run = maker.write(_fields())
    maker.decide(threshold=0.4)
    content = json.loads(run.decision("decide").read_text())
    decision = Decision.from_json(content)
    assert json.loads(json.dumps(decision.to_json())) == content
    for broken in (
        {**content, "format": 99},
        {**content, "temperatures": []},
        {"format": 1},
        {**content, "x": 1},
    ):
        with pytest.raises(FormatError):
            Decision.from_json(broken)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    tables = []
    for name in ("one", "two"):
        maker = RunMaker(tmp_path / name)
        fields = _fields()
        run = maker.write(fields if name == "one" else fields[::-1])
        maker.decide()
        tables.append((RunFolder(run.path).predictions.read_bytes(), run.wells.read_bytes()))
    assert tables[0] == tables[1]


def _chances(run, column="Prob_a"):
    frame = read_table(run.predictions, PREDICTIONS)
    return dict(
        zip(zip(frame["site_id"], frame["cell_id"], strict=True), frame[column], strict=True)
    )


def _logistic(value):
    return 1 / (1 + np.exp(-value))


def test_a_field_without_scores_of_its_own_is_as_its_best_cell(maker):
    run = maker.write(_fields())
    maker.decide(**PLAIN, field="main", adjust=["field_score"])
    found = _chances(run)
    assert found["s1", 2] == pytest.approx(_logistic(-1.0) * _logistic(2.0), rel=1e-5)
    assert found["s1", 1] == pytest.approx(_logistic(2.0) ** 2, rel=1e-5)


def test_scores_of_sites_speak_for_their_cells(maker):
    run = maker.write(_fields())
    maker.scores(_fields(), classes=("a", "neg"), negative="neg", name="whole")
    table = read_table(run.scores("whole"), SCORES).filter(pl.col("cell_id") == 1)
    table = table.with_columns(unit=pl.lit("site"), cell_id=pl.lit(0, pl.Int32))
    write_table(run.scores("whole"), SCORES, table, classes=("a",))
    maker.decide(**PLAIN, field="whole", adjust=[{"name": "field_score", "how": "mean"}])
    found = _chances(run)
    assert found["s1", 2] == pytest.approx((_logistic(-1.0) + _logistic(2.0)) / 2, rel=1e-5)
    assert json.loads(run.decision("decide").read_text())["field"] == "whole"


def test_several_scores_of_fields_are_averaged(maker):
    run = maker.write(_fields())
    other = _fields()
    other[0].logits = [[4.0], [5.0]]
    maker.scores(other, classes=("a", "neg"), negative="neg", name="other")
    maker.decide(**PLAIN, field=["main", "other"], adjust=["field_score"])
    # The best cell of the field has 2 in one set and 5 in the other.
    assert _chances(run)["s1", 2] == pytest.approx(_logistic(-1.0) * _logistic(3.5), rel=1e-5)
    assert json.loads(run.decision("decide").read_text())["field"] == "main, other"


def test_cells_whose_field_has_no_score_are_left_out(maker):
    run = maker.write(_fields())
    some = [f for f in _fields() if f.id != "s2"]
    maker.scores(some, classes=("a", "neg"), negative="neg", name="whole")
    counts = maker.decide(**PLAIN, field="whole", adjust=["field_score"])
    assert counts["unscored"] == 1
    assert ("s2", 1) not in _chances(run)


def test_field_scores_of_a_model_that_saw_the_field_calibrate_nothing(maker):
    run = maker.write(_fields())
    maker.scores(_fields(), classes=("a", "neg"), negative="neg", name="whole", fold=None)
    maker.decide(by="temperature", field="whole", adjust=["field_score"])
    assert json.loads(run.decision("decide").read_text())["n_fields"] == 0


def test_an_adjuster_that_needs_field_scores_says_so_before_any_work():
    with pytest.raises(BadOption, match="field: <score step>"):
        Options.of({"from": "main", "adjust": ["field_score"]})


def _two_fields_of_a_well():
    where = {"Experiment": "E", "Plate": "P1", "Well": "A01"}
    return [
        Field("s1", ("a",), [[2.0], [-1.0]], meta={**where, "Dose": "3"}),
        Field("s2", ("a",), [[1.0]], fold=1, meta={**where, "Dose": "4"}),
        Field("s3", ("neg",), [[-3.0]], fold=1, meta={**where, "Well": "A02", "Dose": "0"}),
        Field("s4", None, [], part="unlabelled", fold=None, meta={**where, "Well": "A03"}),
        Field("s5", None, [[0.0]], part="unlabelled", fold=None, meta={"Experiment": "E"}),
    ]


def test_wells_are_predicted_beside_cells(maker):
    run = maker.write(_two_fields_of_a_well())
    maker.decide(**PLAIN)
    frame = read_table(run.predictions_well, PREDICTIONS)
    assert frame["unit_id"].to_list() == ["E/P1/A01", "E/P1/A02"], "wells with cells only"
    assert set(frame["unit"]) == {"well"}
    cells = read_table(run.predictions, PREDICTIONS)
    assert frame["Prob_a"].to_list() == pytest.approx(
        [cells.filter(pl.col("Metadata_Well") == w)["Prob_a"].mean() for w in ("A01", "A02")]
    )
    wells = read_table(run.wells, WELLS).filter(pl.col("n_cells") > 0)
    for name in ("a", "neg"):
        assert frame[f"Prob_{name}"].to_list() == pytest.approx(wells[f"Mean_{name}"].to_list())
    assert frame["Labels"].to_list() == [["a"], ["neg"]]
    assert frame["Weak_labels"].to_list() == [["a"], ["neg"]]
    assert frame["part"].to_list() == ["train", "train"]
    assert frame["fold"].to_list() == [None, 1], "null where fields of a well differ"
    assert frame["Metadata_Dose"].to_list() == [None, "0"]
    assert frame.select("n_sites", "n_cells").rows() == [(2, 3), (1, 1)]
    for name in ("site_id", "cell_id", "x", "y", "area", "border"):
        assert frame[name].null_count() == 2
    head = [n for n in pq.read_schema(run.predictions).names if n in PREDICTIONS.columns]
    assert [n for n in frame.columns if n in PREDICTIONS.columns] == head


def test_many_classes_of_wells_lie_in_an_array_beside_the_table(maker):
    classes = tuple(f"c{n:02d}" for n in range(70))
    logits = np.linspace(-2, 2, 70).tolist()
    fields = [Field("s1", None, [logits, logits[::-1]], fold=None, meta={"Well": "B01"})]
    fields.append(Field("s0", None, [logits], fold=None, meta={"Well": "B02"}))
    run = maker.write(fields, classes=classes, negative=None)
    maker.decide(**PLAIN)
    frame = read_table(run.predictions_well, PREDICTIONS)
    array = np.load(run.predictions_well.with_suffix(".npy"))
    p = 1 / (1 + np.exp(-np.array(logits)))
    assert frame["unit_id"].to_list() == ["B01", "B02"]
    assert array == pytest.approx(np.stack([(p + p[::-1]) / 2, p]), rel=1e-5)
    assert frame["top_classes"].to_list()[1][:2] == ["c69", "c68"]


def test_without_wells_an_old_table_of_them_does_not_stay(maker):
    run = maker.write([Field("s", None, [[1.0]], fold=None, meta={"Well": "A01"})])
    maker.decide(**PLAIN)
    assert run.predictions_well.exists()
    maker.write([Field("s", None, [[1.0]], fold=None)])
    maker.decide(**PLAIN)
    assert not run.predictions_well.exists()
    assert not run.wells.exists(), "its shares would be measured and reported"


@pytest.mark.parametrize("name", ["well", "well_control"])
def test_a_step_that_would_write_over_the_wells_is_refused_before_any_work(tmp_path, name):
    job = Job(tmp_path, tmp_path, name, {}, "", 0)
    with pytest.raises(BadOption, match="as:"):
        step.check({"from": "main"}, job)


@pytest.mark.parametrize(("level", "bags"), [("", 3), ("well", 2)])
def test_probabilities_are_fitted_to_bags_of_the_level_asked_for(maker, monkeypatch, level, bags):
    well = {"Plate": "P1", "Well": "A01"}
    maker.write(
        [
            Field("s1", ("a",), [[2.0], [1.0]], meta=well),
            Field("s2", ("a",), [[1.5]], meta=well),
            Field("s3", ("neg",), [[-2.0]], meta={"Plate": "P1", "Well": "A02"}),
        ]
    )
    seen = []
    build = deciders.build

    class Watched:
        def build(self, spec):
            decide = build(spec)

            def watched(evidence):
                seen.append(evidence)
                return decide(evidence)

            return watched

    monkeypatch.setattr(_fit, "deciders", Watched())
    maker.decide(by="none", **({"level": level} if level else {}))
    (evidence,) = seen
    assert len(evidence.labels) == len(np.unique(evidence.field)) == bags
    assert evidence.labels[:, 0].tolist() == [True] * (bags - 1) + [False]


def test_only_adjusted_decisions_are_keyed_by_what_a_sample_is():
    assert step.key_parts({"from": ["cell"], "adjust": []}, "cpu") == []
    assert step.key_parts({"from": ["cell"], "adjust": ["context"]}, "cpu") != []
    assert step.key_parts({"from": ["cell"], "calibrate": "boosting"}, "cpu") != []
    assert step.key_parts({"by": {"name": "mixture", "of": ["isotonic", "none"]}}, "cpu") != []
    assert step.key_parts({"by": "temperature"}, "cpu") == []


def test_scores_that_are_no_numbers_are_named_with_their_model(maker):
    fields = _fields()
    maker.write(fields)
    fields[1].logits = [[float("nan")]]
    maker.scores(fields, classes=("a", "neg"), negative="neg", name="main")
    with pytest.raises(FormatError, match=r"1 of 4 .* class 'a' of s2/1, from the model 'm'"):
        maker.decide()


@pytest.mark.parametrize("by", ["temperature", "isotonic", "boosting", "in_field", "none"])
def test_equal_scores_one_cell_and_a_class_without_fields_give_numbers(maker, by):
    classes = ("a", "b", "neg")
    alike = [
        Field(f"s{i}", (("a",), ("neg",))[i % 2], [[0.7, 0.7]] * 3, fold=i % 2) for i in range(8)
    ]
    for fields in (alike, alike[:1], [Field("s", ("a",), [[0.7, 0.7]])]):
        run = maker.write(fields, classes=classes)
        maker.decide(by=by)
        frame = read_table(run.predictions, PREDICTIONS)
        chance = frame.select("Prob_a", "Prob_b", "Prob_neg").to_numpy()
        assert np.isfinite(chance).all()
        assert ((chance >= 0) & (chance <= 1)).all()
        assert len(frame) == sum(len(field.logits) for field in fields)
        # Equal scores of one class are one probability.
        assert (chance == chance[0]).all()
    content = json.loads(run.decision("decide").read_text())
    assert content["positives"] == [1, 0]


@settings(max_examples=15)
@given(st.lists(st.sampled_from([-3.4e38, -800.0, 0.0, 800.0, 3.4e38]), min_size=4, max_size=4))
def test_absurd_scores_are_probabilities_too(tmp_path_factory, logits):
    maker = RunMaker(tmp_path_factory.mktemp("absurd"))
    run = maker.write([Field(f"s{i}", ("a",), [[x]], fold=i % 2) for i, x in enumerate(logits)])
    for options in ({"adjust": ["context"]}, {"field": "main", "adjust": ["field_score"]}):
        maker.decide(**options)
        chance = read_table(run.predictions, PREDICTIONS)["Prob_a"].to_numpy()
        # Warnings are errors: nothing on the way is too large for its numbers.
        assert ((chance >= 0) & (chance <= 1)).all()
