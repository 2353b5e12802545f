"""How good a segmenter is: nuclei of hand-annotated fields, cells of fields with known truth.

    python benchmarks/segmentation_quality.py --segmenter NAME [--set bbbc039 ...] [--json FILE]

Sets `bbbc039` and `dsb2018` (in `--data`): F1 of nuclei at IoU 0.5 and 0.7, pooled over nuclei, and
the mean of F1 over IoU 0.5, 0.55 .. 0.9; objects below 5 % of an image's median true area count on
neither side, and what is found in an empty field counts as false. Settings are chosen on every
second image from the first on (half 0) and reported on the others (half 1).

Set `simulated-hpa`: worlds of 512 and 256 px, severity `default`, from a seed; the share of true
cells found at IoU 0.6 (an IoU equal to the threshold is a match), of those that count (at least
half in view, with a nucleus in view), of all, and of those that the edge of the field cuts.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import InputError
from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.matching import f1_at, find_overlaps, match
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.stages.segment import segmenters
from cellwise.store.worlds.truth import read_truth

Segment = Callable[[Field], Masks]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NUCLEI_SETS = {"bbbc039": "bbbc039_nuclei", "dsb2018": "dsb2018_fluorescence"}
SIMULATED = "simulated-hpa"
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(9))
# Side and number of fields: about 500 true cells each.
WORLDS = ((512, 24), (256, 96))
SEED = 7
CELL_IOU = 0.6
_ROLES = {"red": "microtubule", "green": "protein", "blue": "nucleus", "yellow": "er"}


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One annotated field: its pixels, and the nuclei drawn by hand as a label image `[y, x]`."""

    name: str
    field: Field
    truth: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """Hits, false and missed nuclei of one field at each of `THRESHOLDS`, and CPU seconds spent."""

    name: str
    counts: npt.NDArray[np.int64]
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Score:
    """A segmenter on one set.

    Args:
        case: The set and, where only one was scored, the half.
        images: Fields scored.
        true: True nuclei that count.
        found: Nuclei found that count.
        f1_50: F1 at IoU 0.5, pooled over nuclei.
        f1_70: Likewise at 0.7.
        f1_mean: Mean over IoU 0.5, 0.55 .. 0.9.
        cpu_ms: CPU milliseconds per million pixels (1024 x 1024).
    """

    case: str
    images: int
    true: int
    found: int
    f1_50: float
    f1_70: float
    f1_mean: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class CellScore:
    """A segmenter on simulated fields: shares of true cells found at IoU 0.6, and how many."""

    case: str
    fields: int
    counted: float
    counted_n: int
    every: float
    every_n: int
    border: float
    border_n: int
    found_n: int
    cpu_ms: float


def read_images(name: str, *, data: Path = DATA, half: int | None = None) -> list[AnnotatedImage]:
    """The annotated fields of `bbbc039` or `dsb2018`, in order of name.

    Args:
        name: A key of `NUCLEI_SETS`.
        data: The folder of the sets.
        half: 0 for every second image from the first on, 1 for the others, None for all.
    """
    folder = data / NUCLEI_SETS[name]
    paths = sorted((folder / "images").iterdir())
    if half is not None:
        paths = paths[half::2]
    return [
        AnnotatedImage(path.stem, _field(path), _plain(folder / "labels" / f"{path.stem}.png"))
        for path in paths
    ]


def tally(image: AnnotatedImage, segment: Segment) -> Tally:
    """Segment one field and count; a field that is set aside has no nuclei found."""
    start = time.process_time()
    try:
        nuclei = segment(image.field).nuclei
    except InputError:
        nuclei = np.zeros(image.truth.shape, np.uint16)
    spent = time.process_time() - start
    found = f1_at(nuclei, image.truth, thresholds=THRESHOLDS)
    counts = np.array([(one.hits, one.false, one.missed) for one in found], np.int64)
    return Tally(image.name, counts, spent)


def pool(case: str, images: Sequence[AnnotatedImage], tallies: Sequence[Tally]) -> Score:
    """One score from the tallies of the same images."""
    hits, false, missed = sum((one.counts for one in tallies), np.zeros((9, 3), np.int64)).T
    f1 = 2 * hits / np.maximum(2 * hits + false + missed, 1)
    pixels = sum(one.truth.size for one in images)
    cpu = sum(one.cpu_s for one in tallies)
    return Score(
        case,
        len(images),
        int(hits[0] + missed[0]),
        int(hits[0] + false[0]),
        float(f1[0]),
        float(f1[THRESHOLDS.index(0.7)]),
        float(f1.mean()),
        cpu * 1e3 * 2**20 / max(pixels, 1),
    )


def score_images(case: str, images: Sequence[AnnotatedImage], segment: Segment) -> Score:
    """Segment these fields and score the nuclei; a first call, to get warm, is not timed."""
    segment(images[0].field)
    return pool(case, images, [tally(image, segment) for image in images])


def score_set(name: str, segment: Segment, half: int | None = None, *, data: Path = DATA) -> Score:
    """Score the nuclei of one annotated set, or of one half of it (see `read_images`)."""
    case = name if half is None else f"{name}, half {half}"
    return score_images(case, read_images(name, data=data, half=half), segment)


def simulated_fields(
    folder: Path, *, size: int, fields: int, seed: int = SEED
) -> Iterator[tuple[Field, Masks, frozenset[int]]]:
    """Draw a world into `folder` and give each field, its truth, and the cells that count."""
    request = SimulateRequest(folder, "hpa", size=size, sites=fields, seed=seed)
    simulate_world(request, lambda done, total, note: None)
    truth = read_truth(folder)
    assert truth.cells is not None
    counted = truth.cells.filter(~truth.cells["ignored"])
    for site_id in truth.site_ids():
        masks = truth.masks(site_id)
        assert masks is not None
        part = next(p for p in ("train", "test") if (folder / p / f"{site_id}_red.png").exists())
        planes = [_plain(folder / part / f"{site_id}_{colour}.png") for colour in _ROLES]
        channels = tuple(Channel(colour, role) for colour, role in _ROLES.items())
        field = Field(site_id, np.stack([_unit(plane) for plane in planes]), channels)
        own = counted.filter(counted["site_id"] == site_id)["cell_id"].to_list()
        yield field, masks, frozenset(own)


def score_simulated(
    segment: Segment, *, size: int, fields: int, seed: int = SEED, folder: Path | None = None
) -> CellScore:
    """Shares of simulated cells found at IoU 0.6; `folder` keeps the world, else it is removed."""
    with tempfile.TemporaryDirectory() as temporary:
        world = folder or Path(temporary) / "world"
        rows: list[npt.NDArray[np.bool_]] = []
        found, spent = 0, 0.0
        for field, truth, counted in simulated_fields(world, size=size, fields=fields, seed=seed):
            if not rows:
                segment(field)
            start = time.process_time()
            cells = segment(field).cells
            spent += time.process_time() - start
            rows.append(found_cells(cells, truth.cells, counted))
            found += len(find_boxes(cells))
    hit, counts, border = np.concatenate(rows).T
    return CellScore(
        f"{SIMULATED}, {size} px",
        fields,
        _share(hit[counts]),
        int(counts.sum()),
        _share(hit),
        len(hit),
        _share(hit[counts & border]),
        int((counts & border).sum()),
        found,
        spent * 1e3 * 2**20 / (fields * size**2),
    )


def found_cells(
    cells: npt.NDArray[Any], truth: npt.NDArray[Any], counted: frozenset[int]
) -> npt.NDArray[np.bool_]:
    """Per true cell `[cell, 3]`: it was found, it counts, the edge of the field cuts it."""
    boxes = find_boxes(truth)
    hit = np.zeros(len(boxes), np.bool_)
    hit[match(find_overlaps(cells, truth), CELL_IOU)[:, 1]] = True
    counts = np.isin(boxes.ids, sorted(counted))
    return np.stack([hit, counts, boxes.touches_border], axis=1)


def build_segmenter(name: str, options: Sequence[str] = (), *, device: str = "cpu") -> Segment:
    """The segmenter of this name as the step builds it; `options` are texts `key=value`."""
    spec: dict[str, Any] = {"name": name}
    for option in options:
        key, _, value = option.partition("=")
        spec[key] = _value(value)
    known = {option.name for option in segmenters.page(name).options}
    if "read" in known:
        from cellwise.store.network_weights import find_network, read_network

        spec["read"] = lambda weights: read_network(find_network(weights))
    if "device" in known:
        spec.setdefault("device", device)
    segment: Segment = segmenters.build(spec)
    return segment


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _share(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 1.0


def _field(path: Path) -> Field:
    return Field(path.stem, _unit(_plain(path))[None], (Channel("dna", "nucleus"),))


def _plain(path: Path) -> npt.NDArray[Any]:
    return tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))


def _unit(plane: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return (plane / np.float32(np.iinfo(plane.dtype).max)).astype(np.float32)


def main() -> None:
    """Print the scores, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = [*NUCLEI_SETS, SIMULATED]
    parser.add_argument("--segmenter", default="watershed")
    parser.add_argument("--set", nargs="+", choices=every, default=every)
    parser.add_argument("--option", nargs="*", default=[], metavar="key=value")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seed", type=int, default=SEED, help="of the simulated worlds")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    segment = build_segmenter(chosen.segmenter, chosen.option, device=chosen.device)
    results: list[dict[str, Any]] = []
    for row in _scored(segment, chosen):
        results.append({"segmenter": chosen.segmenter, **asdict(row)})
        values = (f"{v:.4g}" if isinstance(v, float) else v for v in asdict(row).values())
        print("  ".join(f"{k} {v}" for k, v in zip(asdict(row), values, strict=True)), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _scored(segment: Segment, chosen: Any) -> Iterator[Score | CellScore]:
    for name in chosen.set:
        if name == SIMULATED:
            for size, fields in WORLDS:
                yield score_simulated(segment, size=size, fields=fields, seed=chosen.seed)
        else:
            for half in (0, 1):
                yield score_set(name, segment, half, data=chosen.data)


if __name__ == "__main__":
    main()
