"""Predictions against known cells: who is who, what a cell that was not found means, F1, wells."""

import numpy as np
import polars as pl
import pytest
from tests.truths import CLASSES, answers, chances, squares

from cellwise.domain.classes import ClassList
from cellwise.errors import BadOption, FormatError
from cellwise.kernels.matching import find_overlaps
from cellwise.measures.average_precision import average_precision as one_precision
from cellwise.measures.bootstrap import numbered
from cellwise.stages.evaluate import average_precision, segmentation_f1
from cellwise.stages.evaluate.field_overlaps import join_overlaps
from cellwise.stages.evaluate.known.cells import cells_against_truth, field_groups, true_cells
from cellwise.stages.evaluate.known.results import Asked, every_class, known_results
from cellwise.stages.evaluate.known.wells import TEST_COUNTS, known_wells, well_results

LIST = ClassList(CLASSES, "Negative")


def field(*ids, size=8, shift=0):
    """A label image that holds only these of four squares."""
    labels = squares(4, size=size, shift=shift)
    return np.where(np.isin(labels, ids), labels, 0).astype(np.uint16)


def cells(*rows):
    """`(site, cell, classes, ignored)` as the truth's frame."""
    names = ("site_id", "cell_id", "classes", "ignored")
    frame = pl.DataFrame(
        [dict(zip(names, row, strict=True)) for row in rows],
        schema_overrides={"classes": pl.List(pl.String)},
    )
    return frame.with_columns(pl.col("cell_id").cast(pl.Int32))


def said(*rows):
    """`(site, cell, (p, p, p))` as predictions and chances."""
    frame = pl.DataFrame({"site_id": [r[0] for r in rows], "cell_id": [r[1] for r in rows]})
    return frame, np.array([row[2] for row in rows])


def test_each_true_cell_gets_the_scores_of_the_cell_that_found_it():
    true = field(1, 2, 3)
    predicted = np.where(true == 1, 9, np.where(true == 2, 5, 0)).astype(np.uint16)
    truth = cells(("s", 1, ["Nucleoplasm"], False), ("s", 2, [], False), ("s", 3, [], True))
    predictions, chance = said(("s", 5, (0.1, 0.2, 0.8)), ("s", 9, (0.9, 0.3, 0.1)))
    known = cells_against_truth(
        predictions, chance, {"s": find_overlaps(predicted, true)},
        cells=truth, sites=None, classes=LIST,
    )  # fmt: skip
    assert known.cell_id.tolist() == [1, 2, 3]
    assert known.predicted_id.tolist() == [9, 5, 0]
    assert known.iou.tolist() == [1.0, 1.0, 0.0]
    assert known.score[:2].tolist() == [[0.9, 0.3, 0.1], [0.1, 0.2, 0.8]]
    assert (known.score[2] == -np.inf).all()
    # A cell that shows nothing is a positive of the negative class.
    assert known.truth.tolist() == [
        [True, False, False],
        [False, False, True],
        [False, False, True],
    ]
    assert known.ignored.tolist() == [False, False, True]
    assert known.found.tolist() == [True, True, False]
    assert known.group.tolist() == ["s"] * 3
    assert len(known.chosen(known.found)) == 2


def test_a_cell_that_was_not_found_ranks_last():
    true = {"a": field(1, 2), "b": field(1, 2)}
    truth = cells(*((s, k, ["Nucleoplasm"] if k == 1 else [], False) for s in "ab" for k in (1, 2)))
    predictions, chance = said(("a", 1, (0.9, 0, 0)), ("a", 2, (0.1, 0, 0)), ("b", 2, (0.2, 0, 0)))
    overlaps = {"a": find_overlaps(true["a"], true["a"]), "b": find_overlaps(field(2), true["b"])}
    known = cells_against_truth(
        predictions, chance, overlaps, cells=truth, sites=None, classes=LIST
    )
    found = one_precision(known.truth[:, 0], known.score[:, 0])
    # Ranks: hit, miss, miss, hit: 1/2 at precision 1, then 1 at 2/4.
    assert found == pytest.approx(0.5 + 0.5 * 0.5)


def test_a_predicted_cell_that_is_no_true_cell_is_left_out():
    truth = cells(("s", 1, [], False))
    predictions, chance = said(("s", 1, (0.2, 0, 1)), ("s", 2, (0.9, 0, 0)))
    overlaps = {"s": find_overlaps(field(1, 2), field(1))}
    known = cells_against_truth(
        predictions, chance, overlaps, cells=truth, sites=None, classes=LIST
    )
    assert len(known) == 1


def test_fields_without_true_or_without_predicted_cells():
    truth = cells(("b", 1, [], False))
    predictions, chance = said(("a", 1, (1, 0, 0)), ("elsewhere", 7, (1, 0, 0)))
    overlaps = {"a": find_overlaps(field(1), field()), "b": find_overlaps(field(), field(1))}
    known = cells_against_truth(
        predictions, chance, overlaps, cells=truth, sites=None, classes=LIST
    )
    assert (known.site_id.tolist(), known.found.tolist()) == (["b"], [False])
    nothing = cells_against_truth(
        predictions, chance, {"a": overlaps["a"]}, cells=truth, sites=None, classes=LIST
    )
    assert len(nothing) == 0


def test_groups_and_parts_come_from_the_cell_then_the_field():
    truth = cells(("a", 1, [], False), ("a", 2, [], False), ("b", 1, [], False))
    truth = truth.with_columns(pl.Series("group", ["p", "", ""]))
    sites = pl.DataFrame({"site_id": ["a"], "part": ["test"], "group": ["q"]})
    overlaps = {
        s: find_overlaps(field(*ids), field(*ids)) for s, ids in (("a", (1, 2)), ("b", (1,)))
    }
    predictions, chance = said(("a", 1, (0, 0, 0)))
    known = cells_against_truth(
        predictions, chance, overlaps, cells=truth, sites=sites, classes=LIST
    )
    assert known.group.tolist() == ["p", "q", "b"]
    assert known.part.tolist() == ["test", "test", ""]
    joined = join_overlaps(overlaps)
    facts = true_cells(joined, truth, None, classes=LIST)
    # Its cells disagree, so field a is a group of its own.
    assert field_groups(joined, facts, None).tolist() == ["a", "b"]
    assert field_groups(joined, facts, sites).tolist() == ["q", "b"]


def test_cells_that_the_truth_does_not_list_are_ignored():
    truth = cells(("s", 1, [], False))
    facts = true_cells(
        join_overlaps({"s": find_overlaps(field(1), field(1, 2))}), truth, None, classes=LIST
    )
    assert (facts.ignored.tolist(), facts.unlisted) == ([False, True], 1)


def test_truth_and_masks_that_do_not_fit_are_named():
    overlaps = {"s": find_overlaps(field(1), field(1))}
    predictions, chance = said(("s", 1, (0, 0, 0)))
    with pytest.raises(FormatError, match="cell 2 of field s, which is not in its mask"):
        cells_against_truth(
            predictions, chance, overlaps,
            cells=cells(("s", 2, [], False)), sites=None, classes=LIST,
        )  # fmt: skip
    with pytest.raises(FormatError, match="names the class 'Golgy'"):
        cells_against_truth(
            predictions, chance, overlaps,
            cells=cells(("s", 1, ["Golgy"], False)), sites=None, classes=LIST,
        )  # fmt: skip
    stale, chance = said(("s", 3, (0, 0, 0)))
    with pytest.raises(FormatError, match="s: cell 3 of the predictions is not in the run's masks"):
        cells_against_truth(
            stale, chance, overlaps, cells=cells(("s", 1, [], False)), sites=None, classes=LIST
        )


def test_macro_precision_with_and_without_negative():
    frame = answers(12, 8)
    chance = chances(frame)
    overlaps = {site: find_overlaps(squares(8), squares(8)) for site in frame["site_id"].unique()}
    asked = Asked(frame, None, LIST, (), 50, 0)
    found = known_results(overlaps, every_class(frame, chance), asked)
    kept = ~frame["ignored"].to_numpy()
    listed = frame["classes"].to_list()
    truth = np.array([[n in row for n in CLASSES[:2]] + [not row] for row in listed])[kept]
    each = [one_precision(truth[:, c], chance[kept][:, c].astype(float)) for c in range(3)]
    assert found.metrics["cell_macro_ap"].value == pytest.approx(np.mean(each))
    assert found.metrics["cell_macro_ap_positive"].value == pytest.approx(np.mean(each[:2]))
    assert found.metrics["cell_ap_Negative"].value == pytest.approx(each[2])
    assert found.metrics["cell_macro_ap"].n == kept.sum() == 84
    assert found.metrics["ece"].n == 84
    assert found.metrics["cells_found_60"].value == 1
    left = known_results(
        overlaps, every_class(frame, chance), Asked(frame, None, LIST, ("Nucleoplasm",), 50, 0)
    )
    assert left.metrics["cell_macro_ap_positive"].value == pytest.approx(each[1])
    assert any("Nucleoplasm: left out by the world" in note for note in left.warnings)
    # The challenge's figure knows no such exception.
    assert left.metrics["hpa_map_60"] == found.metrics["hpa_map_60"]


def test_confidences_beyond_one_have_no_calibration():
    frame = answers(3, 4)
    overlaps = {site: find_overlaps(squares(4), squares(4)) for site in frame["site_id"].unique()}
    found = known_results(
        overlaps, every_class(frame, 3 * chances(frame) + 1), Asked(frame, None, LIST, (), 20, 0)
    )
    assert "ece" not in found.metrics
    assert any("no calibration error" in note for note in found.warnings)


def test_segmentation_by_hand():
    # Of three true cells one is ignored and found, one is found, one is missed; one is false.
    fields = join_overlaps({"s": find_overlaps(field(1, 2, 4), field(1, 2, 3))})
    found = segmentation_f1.build(draws=20)(
        fields, ignored=np.array([True, False, False]), groups=np.array([0]), seed=0
    )
    first = found.thresholds[0]
    assert (first.hits, first.false, first.missed) == (1, 1, 1)
    assert (first.f1, first.share, found.n) == (0.5, 0.5, 2)
    assert [row.threshold for row in found.thresholds] == [0.5, 0.6, 0.7, 0.8, 0.9]


def test_the_mean_is_over_thresholds_and_an_equal_overlap_is_a_match():
    # Shifted by two of eight columns: 48 shared of 80 together, exactly 0.6.
    fields = join_overlaps({"s": find_overlaps(field(1, shift=2), field(1))})
    found = segmentation_f1.build(draws=20)(
        fields, ignored=np.array([False]), groups=np.array([0]), seed=0
    )
    assert [row.f1 for row in found.thresholds] == [1, 1, 0, 0, 0]
    assert found.mean == pytest.approx(0.4)


def test_nothing_true_and_nothing_found_has_no_figure():
    fields = join_overlaps({"s": find_overlaps(field(), field())})
    found = segmentation_f1.build(draws=5)(
        fields, ignored=np.zeros(0, bool), groups=np.array([0]), seed=0
    )
    assert np.isnan(found.mean)


@pytest.mark.parametrize("wrong", [{"lowest": 0}, {"steps": 0}, {"lowest": 0.9, "highest": 0.5}])
def test_wrong_thresholds_are_refused(wrong):
    with pytest.raises(BadOption):
        segmentation_f1.build(**wrong)


def plate(types=tuple(TEST_COUNTS), wells=6):
    """Two sites per well; the treatment is the number of the well; one control per type."""
    rows = []
    for kind in types:
        for well in range(wells):
            for site in (1, 2):
                rows.append(
                    {
                        "site_id": f"{kind}-01_1_B{well:02d}_{site}",
                        "experiment": f"{kind}-01",
                        "plate": "1",
                        "well": f"B{well:02d}",
                        "sirna": str(well),
                        "cell_type": kind,
                        "group": f"{kind}-01_{well % 3}",
                        "part": "test",
                        "well_type": "treatment" if well else "negative_control",
                    }
                )
    return pl.DataFrame(rows)


def test_accuracy_is_weighted_by_the_test_counts_where_all_four_types_are_there():
    wells = known_wells(plate())
    assert wells.height == 4 * 5
    # HEPG2 all right, HUVEC one of five, the others none.
    right = {row["id_code"]: row["sirna"] for row in wells.iter_rows(named=True)}
    said_of = dict.fromkeys(right, "99")
    said_of |= {code: sirna for code, sirna in right.items() if code.startswith("HEPG2")}
    said_of["HUVEC-01_1_B03"] = "3"
    found = well_results(wells, said_of, draws=50, seed=0)
    shares = {name: found.metrics[f"accuracy_{name}"].value for name in TEST_COUNTS}
    assert shares == {"HEPG2": 1, "HUVEC": pytest.approx(0.2), "RPE": 0, "U2OS": 0}
    expected = sum(shares[name] * n for name, n in TEST_COUNTS.items()) / sum(TEST_COUNTS.values())
    assert found.metrics["accuracy"].value == pytest.approx(expected)
    assert found.metrics["accuracy_plain"].value == pytest.approx(6 / 20)
    assert found.metrics["accuracy"].unit == "well"


def test_with_other_cell_types_accuracy_is_the_share_of_wells():
    wells = known_wells(plate(("HUVEC", "RPE"), wells=4))
    right = dict(wells.select("id_code", "sirna").iter_rows())
    first = next(iter(right))
    found = well_results(wells, {first: right[first]}, draws=50, seed=0)
    assert found.metrics["accuracy"].value == pytest.approx(1 / 6)
    assert "accuracy_plain" not in found.metrics
    assert "No answer for 5 of 6 wells" in found.warnings[0]


def test_a_truth_of_fields_knows_no_wells():
    assert known_wells(None) is None
    assert known_wells(pl.DataFrame({"site_id": ["a"], "part": ["test"]})) is None


def test_intervals_come_from_whole_groups():
    frame = answers(12, 8)
    chance = chances(frame)
    overlaps = {site: find_overlaps(squares(8), squares(8)) for site in frame["site_id"].unique()}
    found = known_results(
        overlaps, every_class(frame, chance), Asked(frame, None, LIST, (), 200, 3)
    )
    kept = ~frame["ignored"].to_numpy()
    truth = np.array([["Nucleoplasm" in row] for row in frame["classes"].to_list()])[kept]
    slow = average_precision.build(draws=200)(
        truth,
        chance[kept][:, [0]].astype(float),
        names=["Nucleoplasm"],
        negative=None,
        groups=numbered(frame["group"].to_numpy()[kept].astype(str)),
        seed=3,
    )
    metric = found.metrics["cell_ap_Nucleoplasm"]
    assert (metric.low, metric.high) == (slow.classes[0].low, slow.classes[0].high)
    assert found.detail["resampled"] == {"what": "groups of the truth", "count": 6}
    assert any("6 groups only" in note for note in found.warnings)
