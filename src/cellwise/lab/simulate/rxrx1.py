"""`--world rxrx1`: perturbed cells on the plates of RxRx1, in the layout of its challenge.

An experiment is whole or not made: four plates with a quarter of the treatments, 30 positive and
one untreated control each, two sites per well, that is 2 (classes + 124) sites (376 with 64
classes, 2,464 with 1,108). `sites` is an upper bound: as many whole experiments as fit, 51 at most;
without it there are eight (four of HUVEC, four of RPE). `variant` says which experiments have a
batch effect several times the usual one: `aberrant-per-type` (one of each cell type that has three;
the default), `one-aberrant`, `no-aberrant`. `test_share` is the share of the experiments of each
cell type (its last ones) that is the test part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.domain.records import Masks
from cellwise.domain.steps import Report
from cellwise.errors import UsageError
from cellwise.lab.simulate.pool import spread
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.lab.synth.rxrx1.design import (
    CELL_TYPES,
    CONTROLS,
    PLATES,
    SITES_PER_WELL,
    TREATMENT,
    Design,
    Experiment,
    Well,
    make_design,
    sites_per_experiment,
)
from cellwise.lab.synth.rxrx1.effects import Effects, make_effects
from cellwise.lab.synth.rxrx1.field import PIXEL_SIZE, SitePlan, render_site
from cellwise.lab.synth.rxrx1.severity import digest, severity_named
from cellwise.store.worlds.rxrx1_folder import (
    STATISTICS,
    SitePlace,
    statistics,
    write_planes,
    write_tables,
)
from cellwise.store.worlds.truth import (
    write_truth_cells,
    write_truth_masks,
    write_truth_sites,
    write_world,
)

_TEST_SHARE = 0.35

DEFAULTS = {
    "severity": "default",
    "sites": None,
    "size": 256,
    "test_share": _TEST_SHARE,
    "classes": 64,
    "variant": "aberrant-per-type",
}
_VARIANTS = {"aberrant-per-type": "per-type", "one-aberrant": "one", "no-aberrant": "none"}
_EXPERIMENTS = 8
_SMALLEST, _LARGEST = 48, 2048
# Sites one worker draws at a time.
_BATCH = 16


@dataclass(frozen=True, slots=True)
class _Task:
    """One site to draw: where it goes, what it shows."""

    place: SitePlace
    plan: SitePlan
    sirna: int


@dataclass(frozen=True, slots=True)
class _Made:
    """What the tables want to know of drawn sites: rows of cells and of pixel statistics."""

    sites: int
    cells: list[tuple[Any, ...]]
    pixels: list[tuple[Any, ...]]


def simulate(request: SimulateRequest, report: Report) -> dict[str, int]:
    """Make the world in `request.out` and return its counts.

    Raises:
        UsageError: A setting is out of range, or `sites` is too few for one experiment.
        UnknownName: No severity of this name.
    """
    design = design_of(request)
    effects = make_effects(design, severity_named(request.severity or ""))
    wells = [(e, well) for e in design.experiments for well in design.wells(e)]
    total = SITES_PER_WELL * len(wells)
    cells: list[pl.DataFrame] = []
    pixels: list[tuple[Any, ...]] = []
    done = 0
    tasks = _tasks(wells, effects=effects, size=request.size or 0)
    batches = iter(lambda: list(islice(tasks, _BATCH)), [])
    draw = partial(_draw, root=request.out)
    for made in spread(draw, batches, workers=request.workers):
        cells.append(_cell_frame(made.cells))
        pixels += made.pixels
        done += made.sites
        report(done, total, "sites")
    write_tables(
        request.out, wells=_well_frame(wells), pixels=pl.DataFrame(pixels, _PIXELS, orient="row")
    )
    truth = request.out / "truth"
    frame = pl.concat(cells)
    write_truth_cells(truth, frame)
    write_truth_sites(truth, _site_frame(wells, effects))
    write_world(truth, _world(request, effects, total=total))
    return {
        "experiments": len(design.experiments),
        "wells": len(wells),
        "sites": total,
        "cells": frame.height,
        "classes": design.classes,
    }


def check(request: SimulateRequest) -> None:
    """Look at every setting of a resolved request; nothing is drawn.

    Raises:
        UsageError: A setting is out of range, or `sites` is too few for one experiment.
        UnknownName: No severity of this name.
    """
    severity_named(request.severity or "")
    design_of(request)


def design_of(request: SimulateRequest) -> Design:
    """The plates that a resolved request asks for, without drawing anything.

    Raises:
        UsageError: A setting is out of range, or `sites` is too few for one experiment.
    """
    size, classes = request.size or 0, request.classes or 0
    if not _SMALLEST <= size <= _LARGEST:
        raise UsageError(f"--size of an RxRx1 world is {_SMALLEST} to {_LARGEST}, not {size}.")
    if request.variant not in _VARIANTS:
        raise UsageError(
            f"--variant of an RxRx1 world is {', '.join(_VARIANTS)}, not {request.variant!r}."
        )
    each = sites_per_experiment(classes)
    count = _EXPERIMENTS if request.sites is None else request.sites // each
    design = make_design(
        request.seed,
        classes=classes,
        experiments=min(max(count, 1), sum(CELL_TYPES.values())),
        test_share=_TEST_SHARE if request.test_share is None else request.test_share,
        aberrant=_VARIANTS[request.variant],
    )
    if count < 1:
        raise UsageError(
            f"--sites {request.sites} is too few for one experiment: with {classes} classes and "
            f"{PLATES * CONTROLS} control wells it has {counted(each, 'sites')}. "
            "Give at least that many."
        )
    return design


def _tasks(
    wells: Sequence[tuple[Experiment, Well]], *, effects: Effects, size: int
) -> Iterator[_Task]:
    for experiment, well in wells:
        state = effects.of_well(experiment, well)
        for site in range(1, SITES_PER_WELL + 1):
            place = SitePlace(experiment.part, experiment.name, well.plate, well.name, site)
            plan = SitePlan(
                effects.design.seed,
                place.site_id,
                size,
                experiment.cell_type,
                state.steps,
                state.camera,
            )
            yield _Task(place, plan, well.sirna)


def _draw(batch: list[_Task], root: Path) -> _Made:
    """Draw and write some sites; runs in a worker."""
    cells: list[tuple[Any, ...]] = []
    pixels: list[tuple[Any, ...]] = []
    for task in batch:
        place, made = task.place, render_site(task.plan)
        write_planes(root, place, made.pixels)
        write_truth_masks(root / "truth", place.site_id, Masks(made.cells, made.nuclei))
        plate = f"{place.experiment}_{place.plate}"
        cells += [
            (place.site_id, m.cell_id, str(task.sirna), m.ignored, plate, m.mitotic)
            for m in made.members
        ]
        head = (place.id_code, place.experiment, place.plate, place.well, place.site)
        pixels += [(*head, w, *statistics(plane)) for w, plane in enumerate(made.pixels, 1)]
    return _Made(len(batch), cells, pixels)


_PIXELS = (
    "id_code", "experiment", "plate", "well", "site", "channel", *STATISTICS,
)  # fmt: skip


def _cell_frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = {
        "site_id": pl.String,
        "cell_id": pl.Int32,
        "classes": pl.String,
        "ignored": pl.Boolean,
        "group": pl.String,
        "mitotic": pl.Boolean,
    }
    return pl.DataFrame(rows, schema, orient="row")


def _well_frame(wells: Sequence[tuple[Experiment, Well]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "part": experiment.part,
                "id_code": well.id_code,
                "experiment": experiment.name,
                "plate": well.plate,
                "well": well.name,
                "sirna": well.sirna,
                "well_type": well.kind,
            }
            for experiment, well in wells
        ]
    )


def _site_frame(wells: Sequence[tuple[Experiment, Well]], effects: Effects) -> pl.DataFrame:
    """One row per site; `given` is what the folder's tables tell, `classes` what is true."""
    rows = []
    for experiment, well in wells:
        hidden = experiment.part == "test" and well.kind == TREATMENT
        row = {
            "part": experiment.part,
            "group": f"{experiment.name}_{well.plate}",
            "given": "" if hidden else str(well.sirna),
            "classes": str(well.sirna),
            "sirna": well.sirna,
            "cell_type": experiment.cell_type,
            "experiment": experiment.name,
            "plate": well.plate,
            "well": well.name,
            "well_type": well.kind,
            "class_group": experiment.groups[well.plate - 1],
            "effect": round(effects.strength(well.sirna), 4),
            "aberrant": experiment.aberrant,
        }
        for site in range(1, SITES_PER_WELL + 1):
            rows.append({"site_id": f"{well.id_code}_{site}", **row})
    return pl.DataFrame(rows)


def _world(request: SimulateRequest, effects: Effects, *, total: int) -> dict[str, Any]:
    design, severity = effects.design, effects.severity
    return {
        "world": "rxrx1",
        "severity": severity.name,
        "severity_digest": digest(severity),
        "seed": request.seed,
        "scv": None,
        "sites": total,
        "size": request.size,
        "pixel_size": PIXEL_SIZE,
        "classes": [str(sirna) for sirna in range(design.classes + CONTROLS)],
        "left_out": [],
        "treatments": design.classes,
        "untreated": design.untreated,
        "groups": [list(group) for group in design.groups],
        "without_effect": sorted(effects.without_effect),
        "aberrant": [e.name for e in design.experiments if e.aberrant],
        "test_experiments": [e.name for e in design.experiments if e.part == "test"],
    }
