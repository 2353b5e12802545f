"""World `hpa`: fields in the layout of the Kaggle HPA challenge 2021, with the truth of every cell.

A sample is one protein in one cell line; no protein is in both parts. The labels of the train part
stand in `train.csv` with the sample of each field; the truth of both parts lies in `truth`.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.records import Masks
from cellwise.domain.steps import Report
from cellwise.errors import UsageError
from cellwise.lab.simulate.pool import spread
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.lab.synth.field import render_field
from cellwise.lab.synth.foreign.card import world_card
from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.hpa.fields import plan_field
from cellwise.lab.synth.hpa.labels import LabelModel, Sample, make_label_model, with_scv
from cellwise.lab.synth.hpa.protein import images_with
from cellwise.lab.synth.hpa.strata import LEAST_FIELDS, draw_part
from cellwise.lab.synth.plan import FieldPlan
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.severity import FOREIGN, Severity, digest, severity_named
from cellwise.store.worlds.challenge_folders import (
    write_hpa_field,
    write_hpa_submission,
    write_hpa_train,
)
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.truth import (
    write_truth_cells,
    write_truth_masks,
    write_truth_sites,
    write_world,
)

# Settings this world uses; any other one that is given is refused.
DEFAULTS: dict[str, Any] = {
    "severity": "default",
    "min_positives": 0,
    "sites": 100,
    "size": 512,
    "scv": None,
    "test_share": 0.5,
}
SIZES = (128, 4096)
# A field of 512 pixels is as wide as one of the challenge; larger ones are finer, not wider.
_COARSEST, _WHOLE = 0.32, 512

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Task:
    """One field to draw and write; small enough to be sent to a process."""

    folder: Path
    part: str
    site_id: str
    group: str
    plan: FieldPlan


def simulate(request: SimulateRequest, report: Report) -> dict[str, int]:
    """Write the world into `request.out`.

    Args:
        request: Resolved with `DEFAULTS`.
        report: Told of every field.

    Returns:
        Counts of fields, cells and proteins.

    Raises:
        UsageError: The size or the number of fields cannot be.
    """
    severity = check(request)
    size, sites = int(request.size or 0), int(request.sites or 0)
    pixel_size = pixel_size_of(size)
    model = make_label_model(request.seed, severity, side_um=size * pixel_size)
    parts = _draw_parts(model, request)
    sites_rows = _site_rows(model, parts)
    cells: list[Row] = []
    tasks = _tasks(model, parts, request.out, size=size)
    for done, rows in enumerate(spread(_make_field, tasks, workers=request.workers), start=1):
        cells += rows
        report(done, sites, "")
    _write_tables(request.out, sites_rows, cells, size=size)
    names = class_list("hpa19").names
    content: Row = {
        "world": "hpa",
        "severity": severity.name,
        "severity_digest": digest(severity),
        "seed": request.seed,
        "scv": severity.scv,
        "sites": sites,
        "size": size,
        "pixel_size": pixel_size,
        "test_share": request.test_share,
        "min_positives": request.min_positives,
        "bits": severity.bits,
        "classes": list(names),
        "left_out": left_out(cells, names, least=int(request.min_positives or 0)),
        "unseen_labels": sum(not s.agreed for samples in parts.values() for s in samples),
    }
    if isinstance(severity, ForeignSeverity):
        content["foreign"] = world_card(severity)
    write_world(request.out / "truth", content)
    missing = len(content["left_out"])
    proteins = sum(len(samples) for samples in parts.values())
    counts = {"fields": sites, "cells": len(cells), "proteins": proteins}
    return {**counts, "classes_with_too_few_cells": missing} if missing else counts


def pixel_size_of(size: int) -> float:
    """Micrometres per pixel of a field of this side: .32 up to 512 pixels, then finer."""
    return _COARSEST * min(1.0, _WHOLE / size)


def left_out(cells: list[Row], names: tuple[str, ...], *, least: int) -> list[str]:
    """Classes with fewer than `least` test cells, or from fewer than 8 fields; none for 0.

    Args:
        cells: Rows with `site_id`, `part`, `classes` and `ignored`; ignored ones do not count. A
            cell without a class is one of the last, the negative class.
        names: The classes.
        least: Test cells.
    """
    if least == 0:
        return []
    counts: Counter[str] = Counter()
    fields: dict[str, set[str]] = defaultdict(set)
    for row in cells:
        if row["part"] == "test" and not row["ignored"]:
            for name in row["classes"] or [names[-1]]:
                counts[name] += 1
                fields[name].add(row["site_id"])
    return [n for n in names if counts[n] < least or len(fields[n]) < LEAST_FIELDS]


def check(request: SimulateRequest) -> Severity:
    """The severity of a resolved request, after a look at every setting; nothing is drawn.

    Raises:
        UsageError: The size, the number of fields, the severity or `scv` cannot be.
    """
    size, sites = int(request.size or 0), int(request.sites or 0)
    low, high = SIZES
    if not low <= size <= high:
        raise UsageError(f"--size of world hpa is {low} to {high} pixels, not {size}.")
    if sites < 2:
        raise UsageError("--sites of world hpa is 2 or more: one to train and one to test.")
    severity = severity_named(request.severity or "", seed=request.seed)
    settled = severity.exclusive or severity.full_presence or severity.name == FOREIGN
    if request.scv is not None and settled:
        raise UsageError(
            f"--scv means nothing to --severity {severity.name}, where it is settled. Leave it out."
        )
    return with_scv(severity, request.scv)


def _draw_parts(model: LabelModel, request: SimulateRequest) -> dict[str, list[Sample]]:
    """Samples of the train part and of the test part."""
    sites = int(request.sites or 0)
    test = min(max(round(sites * (request.test_share or 0.0)), 1), sites - 1)
    least = int(request.min_positives or 0)
    fields = {"train": sites - test, "test": test}
    return {part: draw_part(model, part, fields=n, least=least) for part, n in fields.items()}


def _images(parts: dict[str, list[Sample]]) -> Iterator[tuple[int, str, Sample, int]]:
    """Number of the field, part, sample and image in the sample, in order of the numbers."""
    index = 0
    for part, samples in parts.items():
        for sample in samples:
            for image in range(len(sample.counts)):
                yield index, part, sample, image
                index += 1


def _tasks(
    model: LabelModel, parts: dict[str, list[Sample]], folder: Path, *, size: int
) -> Iterator[_Task]:
    for index, part, sample, image in _images(parts):
        plan = plan_field(
            model, sample, image, index=index, size=size, pixel_size=pixel_size_of(size)
        )
        group = _name(model.seed, "protein", *sample.names)[:8]
        yield _Task(folder, part, _name(model.seed, "field", index), group, plan)


def _make_field(task: _Task) -> list[Row]:
    """Draw a field, write its images and masks; the rows of its cells."""
    names = class_list("hpa19").names
    field = render_field(task.plan)
    write_hpa_field(task.folder, task.part, task.site_id, field.pixels)
    write_truth_masks(task.folder / "truth", task.site_id, Masks(field.cells, field.nuclei))
    return [
        {
            "site_id": task.site_id,
            "cell_id": member.cell_id,
            "classes": [names[k] for k in member.plan.shown],
            "ignored": member.ignored,
            "group": task.group,
            "part": task.part,
            "mitotic": member.plan.mitotic,
            "unstained": member.plan.unstained,
            "out_of_focus": member.plan.out_of_focus,
            "in_view": round(member.in_view, 3),
        }
        for member in field.members
    ]


def _site_rows(model: LabelModel, parts: dict[str, list[Sample]]) -> list[Row]:
    """One row per field: what was given, and what is true of it by the rule of the images."""
    names = class_list("hpa19").names
    rows = []
    for index, part, sample, image in _images(parts):
        inside = sample.image(image)
        seen = images_with(sample.cells.shown[inside], [inside.stop - inside.start])[0]
        rows.append(
            {
                "site_id": _name(model.seed, "field", index),
                "part": part,
                "group": _name(model.seed, "protein", *sample.names)[:8],
                "given": [names[k] for k in sample.verdict.given],
                "classes": [names[k] for k in seen.nonzero()[0]],
                "cell_line": model.lines[sample.line].name,
            }
        )
    return rows


def _write_tables(folder: Path, sites: list[Row], cells: list[Row], *, size: int) -> None:
    numbers = {name: k for k, name in enumerate(class_list("hpa19").names)}
    train = [row for row in sites if row["part"] == "train"]
    write_hpa_train(
        folder,
        (
            (row["site_id"], tuple(numbers[name] for name in row["given"]), row["group"])
            for row in train
        ),
    )
    tests = (row["site_id"] for row in sites if row["part"] == "test")
    write_hpa_submission(folder, tests, size=size)
    text = pl.List(pl.String)
    write_truth_sites(
        folder / "truth", pl.DataFrame(sites, schema_overrides={"given": text, "classes": text})
    )
    write_truth_cells(folder / "truth", pl.DataFrame(cells, schema_overrides={"classes": text}))


def _name(seed: int, *names: str | int) -> str:
    """A name that looks like the challenge's and says nothing."""
    return str(uuid.UUID(bytes=generator(seed, "name", *names).bytes(16), version=4))
