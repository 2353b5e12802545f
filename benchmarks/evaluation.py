"""Mean average precision of masks: ours beside two COCO evaluators, on the same masks, in one run.

    python benchmarks/evaluation.py [--json FILE] [--images 500] [--cells 20] [--repeats 3]

Needs the extra `benchmarks` (pycocotools, faster-coco-eval); a peer that is missing is left out and
named. The input is a submission of 19 classes per cell on frames of 1024 x 1024 pixels from a seed.
Three cases: `evaluation` starts from masks as run lengths in memory, which is how the peers store
theirs too; `with intervals` adds 500 bootstrap draws, which the peers have not; `from the file`
starts from the text of the submission. Peers score one area range, IoU 0.6, no limit on detections.
Before any clock runs, all are compared. Times are CPU seconds of one thread, median of the repeats.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.kernels.run_overlaps import find_run_overlaps
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import LabelRuns, compress, encode_labels, pack
from cellwise.stages.evaluate import instance_map
from cellwise.stages.evaluate.field_overlaps import join_overlaps
from cellwise.stages.evaluate.instance_map import Detections
from cellwise.store.worlds.submissions import HPA_COLUMNS, read_hpa_submission

SIDE = 1024
CLASSES = 19
THRESHOLD = 0.6
# COCO takes precision at 101 recalls, the challenge at all.
AGREEMENT = 2e-3
NO_DIFFERENCE = 1.5

Run = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of the result."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float


@dataclass(frozen=True, slots=True)
class World:
    """Masks as runs per image, `[cell, class]` truth and confidence per image, and a file."""

    true: list[LabelRuns]
    predicted: list[LabelRuns]
    truth: list[npt.NDArray[np.bool_]]
    confidence: list[npt.NDArray[np.float64]]
    submission: Path


def make_world(images: int, cells: int, folder: Path, seed: int = 0) -> World:
    """Ellipses on a grid; predictions are moved and resized, and know a part of the truth."""
    rng = np.random.default_rng(seed)
    world = World([], [], [], [], folder / "submission.csv")
    with world.submission.open("w", encoding="utf-8") as handle:
        handle.write(",".join(HPA_COLUMNS) + "\n")
        for image in range(images):
            true, predicted = _frames(cells, rng)
            world.true.append(encode_labels(true))
            world.predicted.append(encode_labels(predicted))
            truth = rng.random((len(world.true[-1]), CLASSES)) < 0.12
            world.truth.append(truth)
            known = np.zeros((len(world.predicted[-1]), CLASSES))
            shared = np.isin(world.predicted[-1].ids, world.true[-1].ids)
            places = np.searchsorted(world.true[-1].ids, world.predicted[-1].ids[shared])
            known[shared] = truth[places]
            raw = np.clip(0.35 + 0.3 * known + rng.normal(0, 0.2, known.shape), 0, 1)
            said: npt.NDArray[np.float64] = np.round(raw, 5)
            world.confidence.append(said)
            handle.write(f"i{image:05d},{SIDE},{SIDE},{_string(world.predicted[-1], said)}\n")
    return world


def _frames(cells: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """A true and a predicted label image."""
    true, predicted = np.zeros((SIDE, SIDE), np.uint16), np.zeros((SIDE, SIDE), np.uint16)
    grid = int(np.ceil(np.sqrt(cells)))
    step = SIDE / grid
    for number in range(1, cells + 1):
        row, column = divmod(number - 1, grid)
        centre = (np.array([row, column]) + 0.5) * step
        axes = step * rng.uniform(0.38, 0.52, 2)
        _draw(true, number, centre, axes)
        _draw(
            predicted, number, centre + rng.normal(0, 0.07 * step, 2), axes * rng.uniform(0.9, 1.1)
        )
    return true, predicted


def _draw(labels: Any, number: int, centre: Any, axes: Any) -> None:
    low = np.maximum(np.floor(centre - axes).astype(int), 0)
    high = np.minimum(np.ceil(centre + axes).astype(int) + 1, SIDE)
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
    inside = ((y - centre[0]) / axes[0]) ** 2 + ((x - centre[1]) / axes[1]) ** 2 < 1
    labels[low[0] : high[0], low[1] : high[1]][inside] = number


def _string(runs: LabelRuns, said: npt.NDArray[np.float64]) -> str:
    texts = [pack(compress(runs.of(k))) for k in range(len(runs))]
    return " ".join(
        f"{kind} {said[cell, kind]:.5f} {text}"
        for cell, text in enumerate(texts)
        for kind in range(CLASSES)
    )


def ours(world: World, *, draws: int = 0) -> float:
    """From masks as run lengths to the figure."""
    cells = [len(runs) for runs in world.predicted]
    cell = np.repeat(np.arange(sum(cells)), CLASSES)
    kind = np.tile(np.arange(CLASSES), sum(cells))
    confidence = np.concatenate(world.confidence).reshape(-1)
    return _evaluate(world, world.predicted, Detections(cell, kind, confidence), draws)


def ours_from_the_file(world: World) -> float:
    """From the text of the submission to the figure; the truth is in memory."""
    rows = read_hpa_submission(world.submission, classes=CLASSES).rows
    predicted = [decode_texts(row.texts, height=SIDE, width=SIDE) for row in rows]
    begins = np.cumsum([0, *(len(runs) for runs in predicted)])
    detections = Detections(
        np.concatenate([row.masks + begin for row, begin in zip(rows, begins, strict=False)]),
        np.concatenate([row.kinds for row in rows]),
        np.concatenate([row.confidences for row in rows]),
    )
    return _evaluate(world, predicted, detections, 0)


def _evaluate(
    world: World, predicted: list[LabelRuns], detections: Detections, draws: int
) -> float:
    pairs = zip(predicted, world.true, strict=True)
    fields = join_overlaps({f"{k:06d}": find_run_overlaps(a, b) for k, (a, b) in enumerate(pairs)})
    truth = np.concatenate(world.truth)
    found = instance_map.build(THRESHOLD, "false", draws)(
        fields,
        detections,
        truth=truth,
        ignored=np.zeros(len(truth), bool),
        names=[str(kind) for kind in range(CLASSES)],
        groups=np.arange(len(fields.sites)),
        seed=0,
    )
    return found.value


def coco_input(world: World) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Truth and detections as COCO dictionaries; masks are compressed run lengths."""
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (true, truth) in enumerate(zip(world.true, world.truth, strict=True), 1):
        for cell, kind in zip(*np.nonzero(truth), strict=True):
            mask = _coco(true, int(cell))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(kind) + 1,
                    "segmentation": mask,
                    "area": float(true.of(int(cell))[1::2].sum()),
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": 0,
                }
            )
    for image, (runs, said) in enumerate(zip(world.predicted, world.confidence, strict=True), 1):
        for cell in range(len(runs)):
            mask = _coco(runs, cell)
            results += [
                {
                    "image_id": image,
                    "category_id": kind + 1,
                    "segmentation": mask,
                    "score": float(said[cell, kind]),
                }
                for kind in range(CLASSES)
            ]
    images = [{"id": k + 1, "width": SIDE, "height": SIDE} for k in range(len(world.true))]
    categories = [{"id": kind + 1, "name": str(kind)} for kind in range(CLASSES)]
    content = {"images": images, "annotations": annotations, "categories": categories, "info": {}}
    return content, results


def _coco(runs: LabelRuns, cell: int) -> dict[str, Any]:
    return {"size": [SIDE, SIDE], "counts": compress(runs.of(cell)).decode("ascii")}


def pycocotools(world: World, coco: tuple[dict[str, Any], list[dict[str, Any]]]) -> float:
    """The reference evaluator: index, matching, accumulation."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _coco_map(COCO, COCOeval, coco, most=_most(world))


def faster_coco_eval(world: World, coco: tuple[dict[str, Any], list[dict[str, Any]]]) -> float:
    """Its C++ re-write."""
    from faster_coco_eval import COCO, COCOeval_faster

    return _coco_map(COCO, COCOeval_faster, coco, most=_most(world))


def _most(world: World) -> int:
    return max(len(runs) for runs in world.predicted)


def _coco_map(index: Any, evaluator: Any, coco: Any, *, most: int) -> float:
    content, results = coco
    with contextlib.redirect_stdout(io.StringIO()):
        truth = index()
        truth.dataset = json_like(content)
        truth.createIndex()
        run = evaluator(truth, truth.loadRes([dict(row) for row in results]), "segm")
        run.params.iouThrs = np.array([THRESHOLD])
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.params.maxDets = [most]
        run.evaluate()
        run.accumulate()
    precision = np.asarray(run.eval["precision"])[0, :, :, 0, 0]
    per_class = precision.mean(axis=0)
    return float(per_class[per_class >= 0].mean())


def json_like(content: dict[str, Any]) -> dict[str, Any]:
    """Fresh dictionaries, since peers write into theirs."""
    return {
        name: [dict(row) for row in rows] if isinstance(rows, list) else rows
        for name, rows in content.items()
    }


def measure(runs: dict[str, Run], *, case: str, repeats: int) -> list[Timing]:
    """All on one input, taking turns; the first turn is not counted."""
    clocks: dict[str, list[tuple[float, float]]] = {who: [] for who in runs}
    for turn in range(repeats + 1):
        for who, run in runs.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            if turn:
                clocks[who].append((time.process_time() - cpu, time.perf_counter() - wall))
    medians = {
        who: [statistics.median(v) for v in zip(*c, strict=True)] for who, c in clocks.items()
    }
    base = medians["cellwise"][0]
    return [
        Timing(case, who, cpu, wall, _peak(runs[who]), cpu / base)
        for who, (cpu, wall) in medians.items()
    ]


def _peak(run: Run) -> float:
    """Peak of Python and numpy memory; what a peer's C++ takes for itself is not seen."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def _installed(names: dict[str, str]) -> dict[str, str]:
    found = {}
    for module, package in names.items():
        try:
            found[module] = version(package)
        except PackageNotFoundError:
            print(f"{package} is not installed: left out")
    return found


def main() -> None:
    """Print the table, ratio first, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    peers = _installed({"pycocotools": "pycocotools", "faster_coco_eval": "faster-coco-eval"})
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    about = ", ".join(f"{name} {number}" for name, number in peers.items())
    machine = platform.processor() or platform.machine()
    print(f"{machine}, numpy {np.__version__}, {about}, 1 thread, load {load}")
    with tempfile.TemporaryDirectory() as folder:
        results = _compare(chosen, Path(folder), peers)
    print(f"{'ratio':>8} {'cpu s':>9} {'wall s':>9} {'peak MB':>8}  case, who")
    for row in results:
        close = row.who != "cellwise" and row.ratio_to_ours < NO_DIFFERENCE
        print(
            f"{row.ratio_to_ours:8.1f} {row.cpu_s:9.3f} {row.wall_s:9.3f} {row.peak_mb:8.1f}  "
            f"{row.case}, {row.who}{' (no difference)' if close else ''}"
        )
    if chosen.json:
        content = [asdict(row) for row in results]
        chosen.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _compare(chosen: argparse.Namespace, folder: Path, peers: dict[str, str]) -> list[Timing]:
    world = make_world(chosen.images, chosen.cells, folder)
    coco = coco_input(world)
    runs: dict[str, Run] = {"cellwise": lambda: ours(world)}
    if "pycocotools" in peers:
        runs["pycocotools"] = lambda: pycocotools(world, coco)
    if "faster_coco_eval" in peers:
        runs["faster-coco-eval"] = lambda: faster_coco_eval(world, coco)
    values = {who: run() for who, run in runs.items()}
    values["cellwise, from the file"] = ours_from_the_file(world)
    print("figures: " + ", ".join(f"{who} {value:.5f}" for who, value in values.items()))
    if max(values.values()) - min(values.values()) > AGREEMENT:
        raise SystemExit("the figures differ, so no time would mean anything")
    size = f"{chosen.images} images x {chosen.cells} cells x {CLASSES} classes"
    results = measure(runs, case=f"evaluation, {size}", repeats=chosen.repeats)
    alone = {
        "with intervals": lambda: ours(world, draws=500),
        "from the file": lambda: ours_from_the_file(world),
    }
    for case, run in alone.items():
        results += measure({"cellwise": run}, case=f"{case}, {size}", repeats=chosen.repeats)
    return results


if __name__ == "__main__":
    main()
