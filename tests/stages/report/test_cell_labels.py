"""The section on how cells were labelled: methods, shares, pairs to settle; when it is there."""

import json
from typing import Any

from cellwise.store.run.folder import RunFolder

COUNTS = {
    "cells": 1140,
    "fields": 150,
    "method": "hedge",
    "heard": ["inherit", "one_state"],
    "gain_of_groups_left_out": {"one_state": 0.0266, "soft_ratio": -0.01, "full_competition": None},
    "made_without_each_of": [0, 1, 2],
    "shown": {"inside": 0.402, "outside": 0.1},
    "spread": {"inside": 0.056},
    "swaps": [["inside", "outside", 0.025]],
    "never_told_apart": [["inside", "rim"]],
}


def _page(made, **counts):
    record = json.loads(RunFolder(made.run).record.read_text())
    record["steps"] = [
        *(record.get("steps") or []),
        {"kind": "label", "name": "shown", "counts": {**COUNTS, **counts}},
    ]
    RunFolder(made.run).record.write_text(json.dumps(record))
    page = made.html()
    part = page[page.index('id="cell_labels"') :]
    return " ".join(part[: part.index("</section>")].split())


def test_methods_shares_and_pairs_are_told(plate_run):
    part = _page(plate_run)
    assert "1,140 cells of 150 labelled fields" in part
    assert "the field&#39;s labels as they are; one class per cell" in part
    assert "3 times, each time without one fold" in part
    assert 'one class per cell</td><td class="number">+0.027' in part
    assert '-0.010</td><td><span class="tag">not used' in part
    assert 'inside</td><td class="number">40 %</td><td class="number">± 6 %' in part
    assert 'outside</td><td class="number">10 %</td><td class="number">–' in part
    assert "<b>inside</b> with <b>outside</b>" in part
    assert "so that they cannot be distinguished: inside and rim" in part


def test_where_cells_inherit_the_reason_is_told(plate_run):
    part = _page(plate_run, heard=["inherit"])
    assert "contradicted it, so all cells keep the labels of their field" in part
    assert "too few groups of fields" not in part
    part = _page(plate_run, inherits_because="1,108 classes, more than 200")
    assert "keep the labels of their field: 1,108 classes, more than 200." in part


def test_where_no_group_could_be_left_out_none_is_said_to_have_spoken(plate_run):
    nothing = {"one_state": None, "soft_ratio": None}
    part = _page(plate_run, heard=["inherit"], gain_of_groups_left_out=nothing)
    assert "too few groups of fields have and lack each class" in part
    assert "contradicted it" not in part


def test_without_such_a_step_there_is_no_such_section(plate_run):
    assert 'id="cell_labels"' not in plate_run.html()


def test_cells_labelled_one_by_one_are_counted_by_class_and_cycle(plate_run):
    record = json.loads(RunFolder(plate_run.run).record.read_text())
    made = {"cells": 90, "fields": 9, "method": "threshold", "supported": 20, "unassigned": 70}
    first = {**made, "labelled": 20, "labelled_of_class": {"inside": 20, "outside": 0}}
    second = {**made, "labelled": 31, "labelled_of_class": {"inside": 31, "outside": 0}}
    steps = [
        {"kind": "label", "name": name, "counts": counts}
        for name, counts in (("cycle1", first), ("cycle2", {**second, "unassigned": 59}))
    ]
    RunFolder(plate_run.run).record.write_text(json.dumps({**record, "steps": steps}))
    page = plate_run.html()
    part = page[page.index('id="cell_labels"') :]
    part = " ".join(part[: part.index("</section>")].split())
    assert 'inside</td><td class="number">20</td><td class="number">31</td>' in part
    assert 'Cells with a class</th><td class="number">20</td><td class="number">31</td>' in part
    assert 'Set apart</th><td class="number">70</td><td class="number">59</td>' in part
    assert "No cell was given outside" in part


def test_rounds_on_unlabelled_fields_are_told_one_beside_the_other(plate_run):
    record = json.loads(RunFolder(plate_run.run).record.read_text())
    rounds = {
        "round 1": {"fraction": 0.2, "given": 12.4, "of_class": {"inside": 8.4, "none of them": 4}},
        "round 2": {"fraction": 0.5, "given": 30.0, "of_class": {"inside": 20, "none of them": 10}},
    }
    made = {"cells": 190, "fields": 9, "method": "progressive", "supported": 30}
    counts = {**made, "unlabelled_cells": 100.0, "given_in_rounds": rounds}
    steps = [{"kind": "label", "name": "more", "counts": counts}]
    RunFolder(plate_run.run).record.write_text(json.dumps({**record, "steps": steps}))
    page = plate_run.html()
    part = page[page.index('id="cell_labels"') :]
    part = " ".join(part[: part.index("</section>")].split())
    assert "more, round 1, 20%" in part
    assert 'inside</td><td class="number">8</td><td class="number">20</td>' in part
    assert 'Set apart</th><td class="number">88</td><td class="number">70</td>' in part


def test_what_people_said_is_told_and_what_of_it_was_not_taken(plate_run):
    said: dict[str, Any] = {
        "of_fields_that_do_not_teach": 1016, "by_hand": 60, "contradicted": 2, "unsure": 18,
        "cells_not_found": 6, "cells_not_found_named": [f"a/{n}" for n in range(6)],
        "verdicts_drawn_at_random": 60,
        "audit": {"cells": 44, "supposed_because": "44 cells were judged, 50 are asked"},
    }  # fmt: skip
    part = _page(plate_run, **said)
    assert "60 of them keep what people saw in them." in part
    assert "1,016 cells of" in part
    assert "fields not used for training</a> were not used here either" in part
    assert "tells nothing of other cells: 44 cells were judged, 50 are asked." in part
    assert "2 verdicts in which people contradict each other; 18 verdicts by people" in part
    assert "6 cells that are not there today: a/0, a/1, a/2, a/3, a/4 ..." in part
    said["audit_mean_over_folds"] = {**said.pop("audit"), "false_of_all": {}}
    plain = {"method": None, "heard": None, "shown": {}, "swaps": [], "never_told_apart": []}
    part = _page(plate_run, **said, **plain, gain_of_groups_left_out={})
    assert "also tells how many others show what; without others too few are left: 44" in part
    assert "1,140 cells of 150 labelled fields were taken to show what their field" in part
    assert "60 of them keep" in part
