"""The figures of labelled fields with and without the context of label sets."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score
from tests.stages.decide.decide_world import Field

from cellwise.domain.tables import PREDICTIONS
from cellwise.store.run.folder import read_json
from cellwise.store.run.tables import read_table

CLASSES = ("a", "b", "c", "d", "neg")


def _fields(pairs, *, seed=0, count=40):
    """Fields of two labels, shown faintly by three cells each."""
    random = np.random.default_rng(seed)
    fields = []
    for i in range(count):
        labels = pairs[random.integers(len(pairs))]
        level = [0.0 if name in labels else -1.2 for name in CLASSES[:4]]
        logits = random.normal(level, 1.0, (3, 4)).tolist()
        fields.append(Field(f"f{i:02}", tuple(labels), logits, fold=i % 4))
    return fields


def _by_scikit(run, fields):
    rows = read_table(run.predictions, PREDICTIONS)
    rows = rows.group_by("site_id").agg(pl.col("^Prob_.$").mean()).sort("site_id")
    truth = np.array([[name in f.labels for name in CLASSES[:4]] for f in fields])
    return np.mean(
        [
            average_precision_score(truth[:, c], rows[f"Prob_{name}"].to_numpy())
            for c, name in enumerate(CLASSES[:4])
        ]
    )


@pytest.mark.parametrize("always", [False, True])
def test_both_figures_are_those_of_the_predictions(maker, always):
    fields = _fields(["ab", "cd"])
    run = maker.write(fields, classes=CLASSES)
    counts = maker.decide(adjust=[{"name": "context", "always": always}])
    found = read_json(run.decision("decide"))["sets"]
    assert counts["context_used"]
    assert found["used"]
    told = found["labelled"]
    assert (told["fields"], told["groups"], told["classes"]) == (40, 40, 4)
    assert told["with"]["value"] == pytest.approx(_by_scikit(run, fields))
    maker.decide()
    assert told["without"]["value"] == pytest.approx(_by_scikit(run, fields))
    change = told["difference"]
    assert change["value"] == pytest.approx(told["with"]["value"] - told["without"]["value"])
    assert 0 < change["low"] < change["value"] < change["high"]


def test_where_it_is_off_the_decision_says_so_and_what_it_would_have_done(maker):
    every = ["".join(some) for n in range(1, 5) for some in combinations("abcd", n)]
    fields = _fields(every, count=60)
    run = maker.write(fields, classes=CLASSES)
    counts = maker.decide(adjust=["context"])
    found = read_json(run.decision("decide"))["sets"]
    assert found["gain"] < 0
    assert (counts["context_used"], found["used"]) == (False, False)
    assert found["labelled"]["without"]["value"] == pytest.approx(_by_scikit(run, fields))
    maker.decide(adjust=[{"name": "context", "always": True}])
    assert read_json(run.decision("decide"))["sets"]["used"]
    assert found["labelled"]["with"]["value"] == pytest.approx(_by_scikit(run, fields))


def test_a_fields_own_label_does_not_enter_its_score(maker):
    fields = _fields(["ab", "cd"])
    run = maker.write(fields, classes=CLASSES)
    options = {"by": "none", "adjust": ["context"]}
    maker.decide(**options)
    before = read_table(run.predictions, PREDICTIONS).filter(pl.col("site_id") == "f00")
    other = ("c", "d") if fields[0].labels == ("a", "b") else ("a", "b")
    fields[0] = Field("f00", other, fields[0].logits, fold=0)
    maker.write(fields, classes=CLASSES)
    maker.decide(**options)
    after = read_table(run.predictions, PREDICTIONS).filter(pl.col("site_id") == "f00")
    columns = [f"Prob_{name}" for name in CLASSES]
    np.testing.assert_array_equal(before.select(columns), after.select(columns))


def test_without_folds_or_with_too_few_fields_there_are_no_figures(maker):
    for fields in (
        [Field(f.id, f.labels, f.logits, fold=None) for f in _fields(["ab", "cd"])],
        _fields(["ab"], count=5),
    ):
        run = maker.write(fields, classes=CLASSES)
        maker.decide(by="none", adjust=["context"])
        assert read_json(run.decision("decide"))["sets"]["labelled"] is None
