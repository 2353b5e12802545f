"""What a run will cost, step by step: a few of its fields are worked on, steps say the rest.

Seconds are those of one core of this machine. A field that would take long is tried on a piece.
"""

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cellwise.domain.nouns import CELLS, FOLDS, MASKS
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Report
from cellwise.domain.trial import Trial
from cellwise.errors import InputError
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import writer
from cellwise.flow.recipe.resolve import Step

# Fields tried at most, and the seconds that may pass over them.
_FIELDS = 6
_BUDGET = 5.0
# The first piece: large enough for dozens of cells, small enough for any segmenter.
_PIECE = 512
_BYTES_PER_CELL = 600
_HALF_PRECISION = 2


@dataclass(slots=True)
class Look:
    """What was seen of the fields that were tried.

    Args:
        sites: Their ids.
        load: Seconds until a process can work: libraries, weights, compiled code.
        decode: Seconds to read one field, the mean.
        segment: Seconds to segment one field, the mean.
        cells: Cells of one field, the mean.
        sides: Longer sides of the boxes of cells, those at an edge left out.
        field: The last field, or the piece of it that was segmented.
        masks: Its cells.
    """

    sites: list[str]
    load: float = 0.0
    decode: float = 0.0
    segment: float = 0.0
    cells: float = 0.0
    sides: list[int] = field(default_factory=list)
    field: Field | None = None
    masks: Masks | None = None


def forecast(request: Request, reading: Any, *, report: Report | None = None) -> dict[str, Any]:
    """Cells, seconds and bytes of a run of this recipe on this folder.

    Returns:
        `cells`, `sampled_sites`, `cpu_seconds_per_step` by title, `cpu_seconds` and `wall_seconds`
        of all, `workers`, `disk_bytes`, `free_bytes`.
    """
    steps = request.recipe.steps
    sites = list(reading.usable)
    masks_by = writer(MASKS, steps)
    look = look_at(request, sites, masks_by, report=report)
    seconds = _per_step(request, reading, look)
    workers = max(1, min(request.workers, len(sites)))
    wall = sum(
        value / (workers if step.spec.grain == "site" else _threads(step))
        for step, value in zip(steps, seconds.values(), strict=True)
    )
    cells = round(look.cells * len(sites))
    return {
        "sampled_sites": look.sites,
        CELLS.name: cells,
        "cpu_seconds_per_step": {title: round(value, 2) for title, value in seconds.items()},
        "cpu_seconds": round(sum(seconds.values()), 1),
        "wall_seconds": round(wall, 1),
        "workers": workers,
        "disk_bytes": cells * _bytes_per_cell(steps, len(reading.channels)),
        "free_bytes": shutil.disk_usage(request.folder).free,
    }


def look_at(
    request: Request, sites: list[Site], step: Step | None, *, report: Report | None = None
) -> Look:
    """Segment a few fields, evenly spread, as long as the budget of seconds lasts."""
    from cellwise.kernels.boxes import find_boxes
    from cellwise.stages.segment.step import open_segmenter

    look = Look([])
    if step is None:
        return look
    started = time.monotonic()
    opened = time.process_time()
    order = [sites[place] for place in spread(len(sites), _FIELDS)]
    # Masks that were brought fit whole fields only.
    brought = any(c.what == "folder" and step.options.get(c.option) for c in step.spec.contents)
    rate = 0.0
    made: dict[int, Any] = {}
    for number, (site, whole, decode) in enumerate(_decoded(order, request.folder)):
        if report is not None:
            report(number, len(order), f"trying out {site.id}")
        area = math.prod(whole.pixels.shape[1:])
        if area not in made:
            # Large fields are worked on in another way, which their pieces have to show.
            made[area] = open_segmenter(request.job(step, ""), sites, area=area)
        segment = made[area]
        if not look.sites and not brought:
            # What is compiled and loaded at the first call is paid once by each process.
            segment(_piece(whole, _PIECE // 2))
            look.load = time.process_time() - opened - decode
        left = _BUDGET - (time.monotonic() - started)
        small = not brought and (not rate or rate * area > max(left, 0))
        shown = _piece(whole, _PIECE) if small else whole
        begun = time.process_time()
        try:
            masks = segment(shown)
        except InputError:
            continue
        took = time.process_time() - begun
        share = area / math.prod(shown.pixels.shape[1:])
        rate = took / math.prod(shown.pixels.shape[1:])
        boxes = find_boxes(masks.cells)
        inner = ~boxes.touches_border
        count = inner.sum() + (len(boxes) - inner.sum()) * (1.0 if share == 1 else 0.5)
        look.sides += np.maximum(boxes.y1 - boxes.y0, boxes.x1 - boxes.x0)[inner].tolist()
        _add(look, decode=decode, segment=took * share, cells=float(count) * share)
        look.sites.append(site.id)
        look.field, look.masks = shown, masks
        if time.monotonic() - started > _BUDGET:
            break
    return look


def spread(count: int, most: int) -> list[int]:
    """Places in a list of `count`, at most `most`: the middle first, then ever finer."""
    places = [(2 * k + 1) / 2**level for level in range(1, 5) for k in range(2 ** (level - 1))]
    return list(dict.fromkeys(int(place * count) for place in places if count))[:most]


def _decoded(sites: list[Site], folder: Path) -> Iterator[tuple[Site, Field, float]]:
    from cellwise.store.images.fields import read_field

    for site in sites:
        begun = time.process_time()
        try:
            whole = read_field(site, folder)
        except InputError:
            continue
        yield site, whole, time.process_time() - begun


def _piece(whole: Field, side: int) -> Field:
    """The middle of a field, at most `side` wide."""
    height, width = whole.pixels.shape[1:]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    pixels = whole.pixels[:, top : top + side, left : left + side]
    return replace(whole, pixels=np.ascontiguousarray(pixels))


def _add(look: Look, **seen: float) -> None:
    """Take one more field into the means."""
    before = len(look.sites)
    for name, value in seen.items():
        setattr(look, name, (getattr(look, name) * before + value) / (before + 1))


def _per_step(request: Request, reading: Any, look: Look) -> dict[str, float]:
    """Seconds of one core by title of the step, in the order of the recipe."""
    steps, count = request.recipe.steps, len(reading.usable)
    segment, cells = writer(MASKS, steps), writer(CELLS, steps)
    seconds = {step.title: 0.0 for step in steps}
    if look.field is None or look.masks is None:
        return seconds
    workers = max(
        1, min(request.workers, math.ceil(count / (segment.spec.batch if segment else 1)))
    )
    if segment is not None:
        seconds[segment.title] = look.load * workers + (look.decode + look.segment) * count
    crops = None
    if cells is not None:
        from cellwise.stages.cells.spec import Options
        from cellwise.stages.cells.step import cells_of

        options = Options.of(cells.options)
        cells_of(look.field, look.masks, options)
        begun = time.process_time()
        rows, crops = cells_of(look.field, look.masks, options)
        per_cell = (time.process_time() - begun) / max(1, rows.height)
        seconds[cells.title] = per_cell * look.cells * count
    folds = [int(s.options.get("folds") or 1) for s in steps if FOLDS in s.spec.writes]
    trial = Trial(
        look.field,
        look.masks,
        crops,
        look.field.channels,
        reading.classes,
        count,
        sum(site.labels is not None for site in reading.usable),
        look.cells,
        folds[0] if folds else 1,
        {step.title: step.options for step in steps},
    )
    roles = {channel.role for channel in look.field.channels}
    for step in steps:
        ask = getattr(step_module(step.kind), "forecast", None)
        if ask is not None and set(step.needs) <= roles:
            seconds[step.title] += ask(request.job(step, ""), trial)
    return seconds


def _threads(step: Step) -> int:
    return int(step.options.get("threads") or 1)


def _bytes_per_cell(steps: tuple[Step, ...], channels: int) -> int:
    step = writer(CELLS, steps)
    if step is None or not step.options.get("crops", True):
        return _BYTES_PER_CELL
    return _BYTES_PER_CELL + int(step.options["size"]) ** 2 * _HALF_PRECISION * channels
