"""What a run will cost, step by step: a few of its fields are worked on, steps say the rest.

Seconds are those of one core of this machine. What is paid once by each process (libraries,
weights, compiled code) is told apart from what each field costs: of small folders it is most.
"""

import math
import shutil
import time
from dataclasses import replace
from typing import Any

from cellwise.domain.nouns import CELLS, FOLDS, MASKS
from cellwise.domain.trial import PATIENCE, Trial
from cellwise.flow.looks import Look
from cellwise.flow.pipeline.site_step import at_once, batch_size
from cellwise.flow.pipeline.state import Request
from cellwise.flow.pipeline.together import follower_of
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import writer
from cellwise.flow.recipe.resolve import Step

_BYTES_PER_CELL = 600
_HALF_PRECISION = 2
# Of all steps that try something out; a recipe of 22 networks is told in seconds too.
_PATIENCE = 12.0


def forecast(request: Request, reading: Any, look: Look, kept: int = 0) -> dict[str, Any]:
    """Cells, seconds and bytes of a run of this recipe on this folder.

    Args:
        request: Of the run, with nothing left open.
        reading: The folder as it was read.
        look: What was seen of a few of its fields.
        kept: Bytes on disk beside those of cells.

    Returns:
        `cells`, `sampled_sites`, `cpu_seconds_per_step` by title, `cpu_seconds` and `wall_seconds`
        of all, `workers`, `disk_bytes`, `free_bytes`.
    """
    steps = request.recipe.steps
    sites = list(reading.usable)
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
        "disk_bytes": kept + cells * _bytes_per_cell(steps, len(reading.channels)),
        "free_bytes": shutil.disk_usage(request.folder).free,
    }


def _per_step(request: Request, reading: Any, look: Look) -> dict[str, float]:
    """Seconds of one core by title of the step, in the order of the recipe."""
    steps, count = request.recipe.steps, len(reading.usable)
    segment, cells = writer(MASKS, steps), writer(CELLS, steps)
    seconds = {step.title: 0.0 for step in steps}
    if look.shown is None or look.masks is None:
        return seconds
    if segment is not None:
        processes = _processes(segment, request, count)
        seconds[segment.title] = look.load * processes + (look.decode + look.segment) * count
    crops = None
    if cells is not None:
        from cellwise.stages.cells.spec import Options
        from cellwise.stages.cells.step import cells_of

        options = Options.of(cells.options)
        cells_of(look.shown, look.masks, options)
        begun = time.process_time()
        rows, crops = cells_of(look.shown, look.masks, options)
        per_cell = (time.process_time() - begun) / max(1, rows.height)
        # Done together with the step before, in whose time it is then seen.
        together = segment is not None and follower_of(segment, steps) is cells
        seconds[(segment if together and segment else cells).title] += per_cell * look.cells * count
    folds = [int(s.options.get("folds") or 1) for s in steps if FOLDS in s.spec.writes]
    roles = {channel.role for channel in look.shown.channels}
    asked = [
        (step, ask)
        for step in steps
        if (ask := getattr(step_module(step.kind), "forecast", None)) is not None
        and set(step.needs) <= roles
    ]
    trial = Trial(
        look.shown,
        look.masks,
        crops,
        look.shown.channels,
        reading.classes,
        count,
        sum(site.labels is not None for site in reading.usable),
        look.cells,
        folds[0] if folds else 1,
        {step.title: step.options for step in steps},
        0.0 if segment is not None else look.decode,
        min(PATIENCE, _PATIENCE / max(len(asked), 1)),
    )
    for step, ask in asked:
        job = replace(request.job(step, ""), workers=_processes(step, request, count))
        seconds[step.title] += ask(job, trial)
    return seconds


def _processes(step: Step, request: Request, count: int) -> int:
    """Processes that work on so many sites; 1 is the one that the run itself is."""
    most = at_once(step, workers=request.workers, device=request.device)
    return max(1, min(most, math.ceil(count / batch_size(step, count, most))))


def _threads(step: Step) -> int:
    return int(step.options.get("threads") or 1)


def _bytes_per_cell(steps: tuple[Step, ...], channels: int) -> int:
    step = writer(CELLS, steps)
    if step is None or not step.options.get("crops", True):
        return _BYTES_PER_CELL
    return _BYTES_PER_CELL + int(step.options["size"]) ** 2 * _HALF_PRECISION * channels
