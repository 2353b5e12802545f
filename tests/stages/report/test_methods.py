"""The methods paragraph names what learned: a network, or a learner of vectors."""

import json
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from cellwise.stages.report.sections._methods_of_wells import of_wells
from cellwise.stages.report.sections.provenance import _said
from cellwise.store.run.folder import RunFolder

RIDGE = {"learner": {"name": "kernel_ridge", "metric": True}, "embeddings": "measured"}
NETWORK = {"learner": None, "net": "tiny"}


@pytest.mark.parametrize(
    ("trainings", "there", "absent"),
    [
        ([RIDGE], "A model was fitted ('kernel_ridge' on the embedding 'measured')", "etwork"),
        ([NETWORK], "A network was trained on the labels", "fitted ("),
        ([NETWORK, RIDGE], "Networks were trained, and models fitted ('kernel_ridge'", "A network"),
        ([RIDGE, {**RIDGE, "learner": "lightgbm"}], "'lightgbm' on the embedding", "etwork"),
    ],
)
def test_what_learned_is_named(plate_run, trainings, there, absent):
    file = RunFolder(plate_run.run).record
    record = json.loads(file.read_text())
    steps = [{"kind": "train", "name": f"t{n}", "options": o} for n, o in enumerate(trainings)]
    record["recipe"] = {**(record.get("recipe") or {}), "steps": steps}
    file.write_text(json.dumps(record))
    page = plate_run.html().replace("&#39;", "'")
    paragraph = page[page.index("Images were analysed with") :].split("</")[0]
    assert there in paragraph
    assert absent not in paragraph


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"method": "hedge"}, "were made of those of their fields by 'hedge'."),
        ({"method": "hedge", "by_hand": 40}, "by 'hedge'; 40 cells have what a person saw."),
        ({"by_hand": 1}, "of their fields as they are; 1 cell has what a person saw."),
        ({"by_hand": 0, "cells": 3}, ""),
    ],
)
def test_how_single_cells_got_labels_is_named(plate_run, counts, said):
    file = RunFolder(plate_run.run).record
    record = json.loads(file.read_text())
    record["steps"] = [{"kind": "label", "name": "shown", "counts": counts}]
    file.write_text(json.dumps(record))
    page = plate_run.html().replace("&#39;", "'")
    paragraph = page[page.index("Images were analysed with") :].split("</")[0]
    assert said in paragraph
    assert ("Labels of single cells" in paragraph) == bool(said)


def test_of_new_fields_the_run_whose_models_judged_them_is_named(plate_run):
    file = RunFolder(plate_run.run).record
    record = json.loads(file.read_text())
    record["inputs"] = {**(record.get("inputs") or {}), "fitted": "runs/first.run"}
    file.write_text(json.dumps(record))
    page = plate_run.html().replace("&#39;", "'")
    paragraph = page[page.index("Images were analysed with") :].split("</")[0]
    assert "The models of the run 'first.run' gave every cell a probability" in paragraph
    assert "Probabilities were fitted" in paragraph
    assert "on the labels of" not in paragraph


def test_lists_of_things_in_counts_are_counted_and_never_printed_raw():
    graphs = [{"edges": 2699, "components": 1}, {"edges": 12, "components": 2}]
    assert _said("graphs", graphs) == "2 graphs"
    assert _said("heard", ["one_state", "inherit"]) == "heard (one state, inherit)"
    assert _said("context_used", value=True) == "context used (yes)"


@pytest.mark.parametrize(
    ("steps", "fitted", "said", "absent"),
    [
        ([("train", {"per": "Metadata_CellType", "controls": "left_out"}),
          ("adapt", {"by": "plate"}), ("assign", {})], "",
         ["1 field with a label, control wells left out, one for each value of CellType;",
          "of each plate", "largest mean logit over its fields."],
         "group"),
        ([("train", {}), ("assign", {"design": "one_to_one", "combine": "rank_mean"})], "",
         ["2 fields with a label; wells", "one to one", "combined by 'rank_mean')."], "normalised"),
        ([("adapt", {"by": "experiment"}), ("assign", {"design": "groups"})], "runs/a.run",
         ["The networks of the run 'a.run' normalised", "plate's group."], "trained"),
    ],
)  # fmt: skip
def test_of_a_screen_it_says_who_judged_wells_and_how(steps, fitted, said, absent):
    kinds = ["treatment", "treatment", "negative_control"]
    sites = pl.DataFrame({"labels": [["a"], None, ["c"]], "Metadata_WellType": kinds})
    material: Any = SimpleNamespace(has_labels=True, sites=sites)
    named = [{"kind": kind, "options": options} for kind, options in steps]
    words = " ".join(of_wells(material, named, fitted))
    for text in said:
        assert text in words
    assert absent not in words
