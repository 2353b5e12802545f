"""The challenge's figure: hand-made cases, a slow re-computation, and the COCO evaluator."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.kernels.matching import find_overlaps
from cellwise.kernels.run_overlaps import find_run_overlaps
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import compress, encode_labels, pack
from cellwise.stages.evaluate.field_overlaps import join_overlaps
from cellwise.stages.evaluate.instance_map import Detections, build


def row_of(*cells, width=20):
    """A label image of one row from (begin, end) per cell; a mask is read off it as pixels."""
    labels = np.zeros((1, width), np.uint8)
    for number, (begin, end) in enumerate(cells, 1):
        labels[0, begin:end] = number
    return labels


def figure(fields, detections, truth, *, ignored=None, border="false", threshold=0.6, draws=0):
    """Evaluate `fields` = (predicted, true) label images with `detections` = (cell, kind, p)."""
    joined = join_overlaps({f"{k:03d}": find_overlaps(*pair) for k, pair in enumerate(fields)})
    cell, kind, confidence = zip(*detections, strict=True) if detections else ((), (), ())
    truth = np.array(truth, bool)
    return build(threshold, border, draws)(
        joined,
        Detections(np.array(cell, int), np.array(kind, int), np.array(confidence, float)),
        truth=truth,
        ignored=np.zeros(len(truth), bool) if ignored is None else np.array(ignored, bool),
        names=[str(c) for c in range(truth.shape[1])],
        groups=np.arange(len(fields)),
        seed=0,
    )


def test_an_overlap_of_exactly_the_threshold_is_a_hit():
    # 6 shared of 10 together: three fifths.
    pair = (row_of((0, 8)), row_of((2, 10)))
    assert find_overlaps(*pair).iou.tolist() == [0.6]
    assert figure([pair], [(0, 0, 1.0)], [[1]]).value == 1.0
    assert figure([pair], [(0, 0, 1.0)], [[1]], threshold=0.61).value == 0.0


def test_of_two_predictions_on_one_cell_the_surer_is_the_hit():
    masks = [row_of((0, 8)), row_of((0, 9))]
    texts = [pack(compress(encode_labels(mask).of(0))) for mask in masks]
    true = encode_labels(row_of((0, 10)))
    joined = join_overlaps({"a": find_run_overlaps(decode_texts(texts, height=1, width=20), true)})
    for confidence in ([0.9, 0.2], [0.2, 0.9]):
        found = build(draws=0)(
            joined,
            Detections(np.array([0, 1]), np.array([0, 0]), np.array(confidence)),
            truth=np.array([[True]]),
            ignored=np.array([False]),
            names=["x"],
            groups=np.array([0]),
            seed=0,
        )
        # The first has rank 1 and recall 1; what follows cannot lower the area.
        assert (found.value, found.classes[0].hits, found.classes[0].predicted) == (1.0, 1, 2)


def test_the_same_mask_said_twice_is_one_hit_and_one_false():
    pair = (row_of((0, 5), (10, 15)), row_of((0, 5), (10, 15)))
    found = figure([pair], [(0, 0, 0.9), (0, 0, 0.8), (1, 0, 0.7)], [[1], [1]])
    # Ranks: hit, false, hit: recall 1/2 at precision 1, then 1 at 2/3.
    assert found.value == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-12)


def test_ties_stand_in_the_order_of_field_then_cell():
    right = (row_of((0, 5)), row_of((0, 5)))
    wrong = (row_of((0, 5)), row_of((10, 15)))
    first = figure([right, wrong], [(0, 0, 0.5), (1, 0, 0.5)], [[1], [0]])
    then = figure([wrong, right], [(0, 0, 0.5), (1, 0, 0.5)], [[0], [1]])
    assert (first.value, then.value) == (1.0, 0.5)
    # The order in which predictions are handed over says nothing.
    turned = figure([wrong, right], [(1, 0, 0.5), (0, 0, 0.5)], [[0], [1]])
    assert turned.value == then.value


def test_a_field_without_cells_still_holds_false_predictions():
    right = (row_of((0, 5)), row_of((0, 5)))
    empty = (row_of((0, 5)), row_of())
    assert figure([right, empty], [(0, 0, 0.5), (1, 0, 0.9)], [[1]]).value == 0.5
    assert figure([right, (row_of(), row_of())], [(0, 0, 0.5)], [[1]]).value == 1.0


def test_a_class_without_a_true_cell_is_not_in_the_mean():
    pair = (row_of((0, 5)), row_of((0, 5)))
    found = figure([pair], [(0, 0, 0.9), (0, 1, 0.8)], [[1, 0]])
    assert found.value == 1.0
    assert np.isnan(found.classes[1].value)
    assert found.classes[1].predicted == 1
    assert np.isnan(figure([pair], [(0, 0, 0.9)], [[0, 0]]).value)


def test_missed_cells_lower_the_recall_and_nothing_said_is_zero():
    pair = (row_of((0, 5)), row_of((0, 5), (10, 15)))
    assert figure([pair], [(0, 0, 0.9)], [[1], [1]]).value == 0.5
    assert figure([pair], [], [[1], [1]]).value == 0.0


def test_predictions_on_ignored_cells_are_false_or_left_out():
    pair = (row_of((0, 5), (10, 15)), row_of((0, 5), (10, 15)))
    said = [(0, 0, 0.9), (1, 0, 0.8)]
    truth, ignored = [[1], [1]], [True, False]
    found = figure([pair], said, truth, ignored=ignored)
    assert (found.value, found.classes[0].true) == (0.5, 1)
    assert figure([pair], said, truth, ignored=ignored, border="left_out").value == 1.0


def test_half_of_its_pixels_decide_whether_a_prediction_lies_on_ignored_cells():
    true = row_of((0, 4), (10, 14))
    for end, value in ((8, 1.0), (9, 0.5)):
        pair = (row_of((0, end), (10, 14)), true)
        said = [(0, 0, 0.9), (1, 0, 0.8)]
        found = figure([pair], said, [[1], [1]], ignored=[True, False], border="left_out")
        assert found.value == value


def test_precision_is_made_monotone_from_the_right():
    pair = (row_of((0, 3), (4, 7), (8, 11)), row_of((4, 7), (8, 11)))
    found = figure([pair], [(0, 0, 0.9), (1, 0, 0.8), (2, 0, 0.7)], [[1], [1]])
    # False, hit, hit: precision 1/2 then 2/3; the envelope is 2/3 throughout.
    assert found.value == pytest.approx(2 / 3, abs=1e-12)


@st.composite
def worlds(draw):
    """Fields of one row with cells that overlap more or less, few classes, few confidences."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fields, truth, ignored, said, cells = [], [], [], [], 0
    classes = draw(st.integers(1, 3))
    for _ in range(draw(st.integers(1, 4))):
        pair = []
        for _ in range(2):
            cuts = np.sort(rng.choice(31, size=2 * rng.integers(0, 4), replace=False))
            pair.append(row_of(*cuts.reshape(-1, 2), width=30))
        fields.append(tuple(pair))
        here = pair[1].max()
        truth += (rng.random((here, classes)) < 0.6).tolist()
        ignored += (rng.random(here) < 0.3).tolist()
        for cell in range(pair[0].max()):
            for kind in rng.integers(0, classes, rng.integers(0, 4)):
                said.append((cells + cell, int(kind), rng.integers(0, 4) / 3))
        cells += pair[0].max()
    known = np.array(truth, bool).reshape(len(truth), classes)
    return fields, known, np.array(ignored, bool), said, draw(st.sampled_from([0.3, 0.5, 0.6]))


def slow_map(fields, truth, ignored, said, *, threshold, left_out):
    """The definition word for word, one prediction after the other."""
    predicted, true = [], []
    for number, (ours, theirs) in enumerate(fields):
        predicted += [(number, ours == k) for k in range(1, ours.max() + 1)]
        true += [(number, theirs == k) for k in range(1, theirs.max() + 1)]

    def iou(a, b):
        same = predicted[a][0] == true[b][0]
        both, either = predicted[a][1] & true[b][1], predicted[a][1] | true[b][1]
        return both.sum() / either.sum() if same else 0.0

    def on_ignored(a):
        same = [t for t in np.flatnonzero(ignored) if true[t][0] == predicted[a][0]]
        return sum((predicted[a][1] & true[t][1]).sum() for t in same)

    areas = []
    for kind in range(truth.shape[1]):
        wanted = [t for t in range(len(true)) if truth[t, kind] and not ignored[t]]
        if not wanted:
            continue
        ranked = sorted([d for d in said if d[1] == kind], key=lambda d: (-d[2], d[0]))
        taken, outcome = set(), []
        for cell, _, _ in ranked:
            free = [(iou(cell, t), -t) for t in wanted if t not in taken]
            best = max(free, default=(0.0, 0))
            if best[0] >= threshold:
                taken.add(-best[1])
                outcome.append(True)
            elif left_out and 2 * on_ignored(cell) >= predicted[cell][1].sum():
                continue
            else:
                outcome.append(False)
        hits = np.cumsum(outcome)
        precision = hits / np.arange(1, len(hits) + 1) if len(hits) else hits
        area = sum(max(precision[k:]) for k in range(len(outcome)) if outcome[k])
        areas.append(area / len(wanted))
    return float(np.mean(areas)) if areas else float("nan")


@given(worlds(), st.booleans())
@settings(deadline=None)
def test_equals_the_definition(world, left_out):
    fields, truth, ignored, said, threshold = world
    found = figure(
        fields,
        said,
        truth,
        ignored=ignored,
        border="left_out" if left_out else "false",
        threshold=threshold,
    )
    slow = slow_map(fields, truth, ignored, said, threshold=threshold, left_out=left_out)
    assert found.value == pytest.approx(slow, abs=1e-9, nan_ok=True)


@given(worlds())
@settings(deadline=None)
def test_any_growing_change_of_confidence_leaves_the_figure(world):
    fields, truth, ignored, said, _ = world
    bent = [(cell, kind, np.exp(3 * p) - 7) for cell, kind, p in said]
    one, other = (figure(fields, s, truth, ignored=ignored) for s in (said, bent))
    assert one.value == pytest.approx(other.value, nan_ok=True)


def test_a_group_drawn_twice_is_as_if_its_fields_were_there_twice():
    rng = np.random.default_rng(5)
    right = (row_of((0, 5), (6, 9)), row_of((0, 5), (10, 15)))
    fields = [right] * 4
    truth = rng.random((8, 2)) < 0.7
    said = [(cell, kind, round(rng.random(), 3)) for cell in range(8) for kind in range(2)]
    found = figure(fields, said, truth, draws=40)
    counts = np.random.default_rng(0).multinomial(4, np.full(4, 1 / 4), size=40)
    slow = []
    for weight in counts:
        order = np.repeat(np.arange(4), weight)
        again = [(2 * k + c % 2, kind, p) for k, f in enumerate(order) for c, kind, p in said
                 if c // 2 == f]  # fmt: skip
        repeated = truth.reshape(4, 2, 2)[order].reshape(-1, 2)
        slow.append(figure([right] * len(order), again, repeated).value)
    assert found.low == pytest.approx(np.nanquantile(slow, 0.025), abs=1e-9)
    assert found.high == pytest.approx(np.nanquantile(slow, 0.975), abs=1e-9)


def test_pycocotools_matches_the_same_cells():
    """With 101 recalls instead of all the figure moves in the fourth digit."""
    rng = np.random.default_rng(11)
    fields, truth, said, cells = [], [], [], 0
    for _ in range(40):
        true, predicted = np.zeros((24, 200), np.uint8), np.zeros((24, 200), np.uint8)
        for cell in range(8):
            left, moved = 25 * cell, 25 * cell + rng.integers(0, 8)
            true[:, left : left + 20] = cell + 1
            predicted[:, moved : moved + rng.integers(14, 22)] = cell + 1
        fields.append((predicted, true))
        truth.append(rng.random((8, 3)) < 0.3)
        confidence = 0.3 + 0.3 * truth[-1] + rng.normal(0, 0.2, (8, 3))
        said += [(cells + c, k, confidence[c, k]) for c in range(8) for k in range(3)]
        cells += 8
    found = figure(fields, said, np.concatenate(truth))
    assert found.value == pytest.approx(coco_map(fields, truth, said), abs=2e-3)


def coco_map(fields, truth, said):
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for image, (_, true) in enumerate(fields):
        for cell, kind in zip(*np.nonzero(truth[image]), strict=True):
            coded = mask.encode(np.asfortranarray((true == cell + 1).astype(np.uint8)))
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": int(kind),
                 "segmentation": coded, "area": float(mask.area(coded)), "iscrowd": 0,
                 "bbox": [0, 0, 1, 1]}
            )  # fmt: skip
    for cell, kind, confidence in said:
        image, number = divmod(cell, 8)
        own = fields[image][0] == number + 1
        coded = mask.encode(np.asfortranarray(own.astype(np.uint8)))
        results.append(
            {"image_id": image, "category_id": kind, "segmentation": coded, "score": confidence}
        )
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO()
        index.dataset = {
            "images": [{"id": k, "height": 24, "width": 200} for k in range(len(fields))],
            "categories": [{"id": k} for k in range(3)],
            "annotations": annotations,
            "info": {},
        }
        index.createIndex()
        run = COCOeval(index, index.loadRes(results), "segm")
        run.params.iouThrs, run.params.maxDets = np.array([0.6]), [100]
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    return float(run.eval["precision"][0, :, :, 0, 0].mean(axis=0).mean())


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"border": "maybe"}, {"draws": -1}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(BadOption):
        build(**wrong)
