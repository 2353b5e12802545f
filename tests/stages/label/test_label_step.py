"""The label step on run folders: who is labelled, from which scores."""

import json

import numpy as np
import polars as pl
import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CANDIDATES, CELLS, EMBEDDINGS, FOLDS, LABELS, SCORES, SITES
from cellwise.domain.units import SAMPLE, bag_numbers
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.stages.label.spec import Options
from cellwise.stages.label.step import check, key_parts, work
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_classes, read_table, write_table

FIELDS = {"n": ("none",), "p": ("a", "b"), "t": ("a",), "u": None}
PARTS = {"n": "train", "p": "train", "t": "test", "u": "unlabelled"}


@pytest.fixture
def run(tmp_path):
    """Fields n (negative), p (a and b), t (test) and u (no label), two cells each."""
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    sites = [Site(i, i, file, PARTS[i], labels) for i, labels in FIELDS.items()]
    run = RunFolder(tmp_path)
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    reading = {"classes": {"names": ["a", "b", "none"], "negative": "none"}}
    run.reading.write_text(json.dumps(reading))
    rows = [(site, cell) for site in FIELDS for cell in (1, 2)]
    plain = {name: [0] * len(rows) for name in ("y0", "x0", "y1", "x1", "x", "y", "area")}
    cells = pl.DataFrame(
        {
            "site_id": [r[0] for r in rows],
            "cell_id": [r[1] for r in rows],
            **plain,
            "border": [r[1] == 2 for r in rows],
            "flags": [["tiny"] if r[1] == 2 else [] for r in rows],
        },
        schema_overrides={"flags": pl.List(pl.String)},
    )
    write_table(run.cells, CELLS, cells)
    folds = {"n": 0, "p": 1, "t": None, "u": None}
    frame = pl.DataFrame(
        {"site_id": list(folds), "fold": list(folds.values()), "group": list(folds)},
        schema_overrides={"fold": pl.Int32},
    )
    write_table(run.folds, FOLDS, frame)
    return run


def _scores(run, rows, *, classes=("a", "b")):
    vectors = np.array([r[3] for r in rows], np.float32).reshape(len(rows), len(classes))
    vector = pl.Array(pl.Float32, len(classes))
    frame = pl.DataFrame(
        {
            "unit": ["cell"] * len(rows),
            "site_id": [r[0] for r in rows],
            "cell_id": [r[1] for r in rows],
            "fold": [r[2] for r in rows],
            "model": ["m"] * len(rows),
        },
        schema_overrides={"fold": pl.Int32},
    ).with_columns(
        pl.Series("score", vectors, dtype=vector), pl.Series("spread", vectors * 0, dtype=vector)
    )
    write_table(run.scores("first"), SCORES, frame, classes=classes)


def _work(run, **options):
    options = {k.rstrip("_"): v for k, v in options.items()}
    job = Job(run.path, run.path, "lap", options, "key", seed=0)
    counts = work(job, lambda done, total, note: None)
    return counts, read_table(run.labels("lap"), LABELS)


def test_only_cells_of_labelled_training_fields_are_labelled(run):
    counts, frame = _work(run)
    assert frame["site_id"].to_list() == ["n", "n", "p", "p"]
    assert frame["label"].to_list() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    assert read_classes(run.labels("lap"), LABELS) == ("a", "b")
    assert counts == {"fields": 2, "cells": 4, "inherited": 4}


def test_flags_of_the_cell_table_reach_the_weights(run):
    _, frame = _work(run, by={"name": "inherit", "border": 0.5, "tiny": 0.5})
    assert frame["weight"].to_list() == [1, 0.25, 1, 0.25]


def test_soft_reads_out_of_fold_scores_by_cell_and_not_by_row(run):
    _scores(run, [("p", 2, 1, [5.0, -5.0]), ("p", 1, 1, [-5.0, 5.0]), ("n", 1, 0, [9.0, 9.0])])
    counts, frame = _work(run, by="soft", from_="first")
    label = frame.filter(pl.col("site_id") == "p")["label"].to_numpy()
    assert label == pytest.approx(np.array([[0, 1], [1, 0]]), abs=0.01)
    assert frame.filter(pl.col("site_id") == "n")["label"].to_list() == [[0, 0], [0, 0]]
    assert counts["unscored"] == 1


def test_no_name_of_scores_is_none_however_it_is_said(run):
    counts, _ = _work(run, from_="")
    assert counts["inherited"] == 4


def test_scores_of_a_model_that_saw_the_field_are_refused(run):
    _scores(run, [("p", 1, None, [0.0, 0.0]), ("n", 1, 1, [0.0, 0.0])])
    with pytest.raises(PreflightError, match="saw these fields"):
        _work(run, by="soft", from_="first")


def test_scores_over_other_classes_are_refused(run):
    _scores(run, [("p", 1, 1, [0.0])], classes=("a",))
    with pytest.raises(FormatError, match="classes"):
        _work(run, by="soft", from_="first")


def test_soft_without_scores_and_inherit_with_scores_are_refused():
    with pytest.raises(BadOption, match="needs scores"):
        Options.of({"by": "soft"})
    with pytest.raises(BadOption, match="reads no scores"):
        Options.of({"from": "first"})


def test_cells_of_a_well_share_out_its_label(tmp_path):
    """Two fields of one well, of which only one shows the class: it takes the label of both."""
    run = RunFolder(tmp_path)
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    sites = [Site(i, i, file, "train", ("a",), {"Well": "A01"}) for i in ("p", "q")]
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    run.reading.write_text(json.dumps({"classes": {"names": ["a", "b"], "negative": None}}))
    plain = {name: [0] * 4 for name in ("y0", "x0", "y1", "x1", "x", "y", "area")}
    rows = {"site_id": ["p", "p", "q", "q"], "cell_id": [1, 2, 1, 2], **plain}
    cells = pl.DataFrame({**rows, "border": [False] * 4, "flags": [[]] * 4})
    write_table(run.cells, CELLS, cells.cast({"flags": pl.List(pl.String)}))
    folds = pl.DataFrame({"site_id": ["p", "q"], "fold": [0, 0], "group": ["g", "g"]})
    write_table(run.folds, FOLDS, folds.cast({"fold": pl.Int32}))
    scores = [("p", c, 0, [-6.0, -9.0]) for c in (1, 2)] + [
        ("q", c, 0, [6.0, -9.0]) for c in (1, 2)
    ]
    _scores(run, scores)
    _, alone = _work(run, by="soft", from_="first")
    _, shared = _work(run, by="soft", from_="first", level="well")
    of_p = [
        frame.filter(pl.col("site_id") == "p")["label"].to_numpy()[:, 0]
        for frame in (alone, shared)
    ]
    assert of_p[0].max() > 0.5, "by itself a field keeps its label"
    assert of_p[1].max() < 0.1
    assert shared.filter(pl.col("site_id") == "q")["label"].to_numpy()[:, 0].min() > 0.9


def _embed(run, keys, vectors, models=None):
    folder = run.embeddings("v")
    folder.mkdir(parents=True, exist_ok=True)
    shard = write_vectors(folder, "s", np.array(vectors), dtype="float32", missing=True)
    frame = pl.DataFrame(
        {
            "unit": ["cell"] * len(keys),
            "site_id": [k[0] for k in keys],
            "cell_id": [k[1] for k in keys],
            "shard": [shard] * len(keys),
            "row": list(range(len(keys))),
            "length": [len(vectors[0])] * len(keys),
            "fold": [None] * len(keys),
            "model": models or ["m"] * len(keys),
        },
        schema_overrides={"fold": pl.Int32, "cell_id": pl.Int32},
    )
    write_table(index_path(folder), EMBEDDINGS, frame)
    seal(folder, frame, "float32", {"missing": True})


RATIO = {"name": "posterior", "method": "soft_ratio", "restarts": 1}


def _in_folds(run, folds):
    frame = pl.DataFrame(
        {"site_id": list(folds), "fold": list(folds.values()), "group": list(folds)},
        schema_overrides={"fold": pl.Int32},
    )
    write_table(run.folds, FOLDS, frame)


def test_labels_learned_from_vectors_are_made_without_each_fold(run):
    _in_folds(run, {"n": 0, "p": 1, "t": None, "u": None})
    _embed(run, [("p", 2), ("n", 2), ("p", 1)], [[3.0, 1.0], [0.1, 0.2], [2.0, 0.1]])
    counts, frame = _work(run, by={"name": "posterior", "method": "one_state"}, embeddings="v")
    assert counts["made_without_each_of"] == [0, 1]
    own = frame["site_id"] == "p"
    assert frame.filter(own)["label_without_1"].null_count() == 2
    assert frame.filter(~own)["label_without_0"].null_count() == 2
    assert frame.filter(own)["label_without_0"].to_list() == frame.filter(own)["label"].to_list()
    _in_folds(run, {"n": 0, "p": 0, "t": None, "u": None})
    counts, frame = _work(run, by=RATIO, embeddings="v")
    assert "made_without_each_of" not in counts
    assert frame.columns == list(LABELS.columns)


def test_the_posterior_reads_vectors_by_cell_and_not_by_row(run):
    _in_folds(run, {"n": 0, "p": 0, "t": None, "u": None})
    _embed(run, [("p", 2), ("n", 2), ("n", 1)], [[3.0, np.nan], [0.1, 0.2], [0.0, 0.1]])
    counts, frame = _work(run, by=RATIO, embeddings="v")
    assert counts["unscored"] == 1
    assert counts["supported"] == 3
    assert counts["method"] == "soft_ratio"
    assert frame["label"].to_list()[:2] == [[0, 0], [0, 0]]
    assert frame.filter(pl.col("reason") == "unscored").select("site_id", "cell_id").row(0) == (
        "p",
        1,
    )


def test_vectors_of_several_networks_are_refused(run):
    _embed(run, [("p", 1), ("n", 1)], [[1.0], [2.0]], models=["m", "o"])
    with pytest.raises(PreflightError, match="several networks"):
        _work(run, by=RATIO, embeddings="v")


def test_images_of_one_antibody_are_one_bag_and_others_their_own():
    sites = pl.DataFrame(
        {
            "site_id": list("abcdef"),
            "labels": [["x"], ["x"], ["y"], ["x"], ["x"], ["x"]],
            "fold": [0, 0, 0, 0, 0, 0],
            "Metadata_Antibody": ["1", "1", "1", "2", None, ""],
        }
    )
    assert bag_numbers(sites, SAMPLE).tolist() == [0, 0, 1, 2, 3, 4]
    assert bag_numbers(sites.drop("Metadata_Antibody"), SAMPLE).tolist() == list(range(6))


def _embedded(run, vectors, models=None):
    """Vectors of the four labelled cells, of the networks that are named."""
    folder = run.embeddings("seen")
    shard = write_vectors(folder, "all", vectors, dtype="float32")
    keys = [("n", 1), ("n", 2), ("p", 1), ("p", 2)]
    frame = pl.DataFrame(
        {
            "unit": ["cell"] * 4,
            "site_id": [k[0] for k in keys],
            "cell_id": [k[1] for k in keys],
            "shard": [shard] * 4,
            "row": range(4),
            "length": [vectors.shape[1]] * 4,
            "fold": [None] * 4,
            "model": models or ["m"] * 4,
        },
        schema_overrides=dict.fromkeys(("cell_id", "row", "length", "fold"), pl.Int32),
    )
    write_table(index_path(folder), EMBEDDINGS, frame)
    seal(folder, frame, "float32", {})


def test_a_graph_starts_from_labels_of_another_step_by_cell_and_says_what_to_look_at(run):
    _embedded(run, np.array([[0.0, 1], [0, 2], [0, 1.1], [5, 5]], np.float32))
    start = pl.DataFrame(
        # In another order, without one cell and with one that the run does not have.
        {"site_id": ["p", "n", "p", "u"], "cell_id": [2, 1, 1, 7], "reason": ["x"] * 4,
         "weight": [1.0] * 4, "label": [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]},
        schema_overrides={
            "cell_id": pl.Int32, "weight": pl.Float32, "label": pl.Array(pl.Float32, 2)
        },
    )  # fmt: skip
    write_table(run.labels("before"), LABELS, start, classes=("a", "b"))
    by = {"name": "graph", "neighbours": 1, "folds": 1, "restricted": False}
    counts, frame = _work(run, by=by, embeddings="seen", labels="before")
    # The last one is near n 2 alone, of which the other step says nothing.
    assert (counts["supported"], counts["apart"]) == (3, 1)
    found = {(s, c): label for s, c, label in frame.select("site_id", "cell_id", "label").rows()}
    # The nearest of n 1 is p 1, which the other step says shows b.
    assert found["n", 1] == [0, 1]
    listed = read_table(run.candidates("lap"), CANDIDATES)
    assert ("b", "added", 1, "n", 1) in listed.select(
        "class", "kind", "rank", "site_id", "cell_id"
    ).rows()
    _work(run, by="inherit")
    assert not run.candidates("lap").exists()


def test_vectors_of_two_networks_are_a_graph_each_and_refused_where_they_must_be_alike(run):
    _embedded(run, np.array([[0.0, 1], [0, 2], [0, 1.1], [5, 5]], np.float32), ["m", "m", "o", "o"])
    with pytest.raises(PreflightError, match="several networks"):
        _work(run, by="posterior", embeddings="seen")
    # Of two cells no graph can be made.
    counts, _ = _work(run, by="graph", embeddings="seen")
    assert counts["apart"] == 4
    assert len(counts["graphs"]) == 2


def test_a_graph_needs_vectors_and_one_start():
    with pytest.raises(BadOption, match="needs vectors"):
        Options.of({"by": "graph"})
    with pytest.raises(BadOption, match="name one of"):
        Options.of({"by": "graph", "embeddings": "e", "labels": "l", "from": "s"})
    with pytest.raises(BadOption, match="starts from no labels"):
        Options.of({"by": "inherit", "labels": "l"})


def test_labels_learned_from_evidence_have_a_key_of_their_own_and_others_keep_theirs():
    for by in ("inherit", "soft", {"name": "known"}, "graph"):
        assert key_parts({"by": by}, "cpu") == []
    assert key_parts({"by": {"name": "posterior", "rounds": 3}}, "cpu") != []


@pytest.mark.parametrize(
    "by",
    [
        {"name": "posterior", "method": "one_stat"},
        {"name": "posterior", "restarts": 0},
        {"name": "graph", "neighbours": 0},
        {"name": "soft", "rounds": 0},
        {"name": "progressive", "fraction": 2.0},
    ],
)
def test_a_labeller_that_cannot_be_made_is_refused_before_any_work(tmp_path, by):
    options = {"by": by}
    with pytest.raises(BadOption, match=f"label {by['name']}"):
        check(options, Job(tmp_path, tmp_path, "label", options, "", 0))
