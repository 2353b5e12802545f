"""The form `hpa-512` from runs over the challenge's folder and over public images.

A run knows the fields with their labels and parts, and holds masks of cells; so nothing is
segmented here, and any segmenter serves. Fields without a label that are of no test part are left
out.
"""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cellwise.contracts.splitter import SplitInput
from cellwise.domain.records import Site
from cellwise.domain.steps import Report
from cellwise.errors import InputError, PreflightError
from cellwise.flow.pipeline.lock import locked
from cellwise.stages.split import splitters
from cellwise.store.atomic import write_text
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import read_masks, sites_with_masks
from cellwise.store.run.sites import read_sites
from cellwise.store.stains import HPA_COLOURS
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.prepared_folder import (
    ORDER,
    image_path,
    mask_path,
    write_image,
    write_mask,
    write_table,
)

FOLDS, FAILURES, RECORD = 5, "failures.csv", "prepared.json"


@dataclass(frozen=True, slots=True)
class _Field:
    """One field to prepare: its id in the form, its run, and whether it is public."""

    name: str
    site: Site
    run: RunFolder
    images: Path
    public: bool
    part: str
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made: fields of the training and the test part, masks, and what failed."""

    train: int
    test: int
    masks: int
    failures: tuple[tuple[str, str], ...]


def prepare(
    own: Sequence[Path],
    external: Sequence[Path],
    out: Path,
    report: Report,
    *,
    side: int = 512,
    seed: int = 42,
) -> Prepared:
    """Write images, masks and `train_all.csv`; what is there of the same runs stays.

    Args:
        own: Runs over the challenge's folder.
        external: Runs over public images.
        out: Folder to make or to resume.
        report: Told how many fields are done.
        side: Pixels in a side.
        seed: Of the five folds, which share out the classes over both sources.

    Raises:
        PreflightError: A run lacks a channel or its images, two fields have one id, or the folder
            was made from other runs.
    """
    fields = [f for path in own for f in _fields(path, public=False)]
    fields += [f for path in external for f in _fields(path, public=True)]
    _check(fields, out)
    with locked(out):
        _remember(out, [*own, *external], side)
        masked = {run: sites_with_masks(run.masks) for run in {field.run for field in fields}}
        failures, whole, masks = [], [], 0
        for number, field in enumerate(fields, start=1):
            has_mask = field.site.id in masked[field.run]
            try:
                height = _write(field, out, side=side, mask=has_mask)
            except InputError as error:
                failures.append((field.name, error.reason))
            else:
                whole.append((field, height))
                masks += has_mask
            report(number, len(fields), f"{len(failures)} failed" if failures else "")
        train = [(field, height) for field, height in whole if field.part == "train"]
        fold = _folds([field for field, _ in train], seed)
        write_table(
            out,
            (
                (f.name, "|".join(map(str, f.classes)), int(f.public), len(f.classes), k, height)
                for (f, height), k in zip(train, fold, strict=True)
            ),
        )
        _write_failures(out, failures)
    return Prepared(len(train), len(whole) - len(train), masks, tuple(failures))


def _fields(path: Path, *, public: bool) -> list[_Field]:
    """The labelled and the test fields of a run, by id."""
    run = RunFolder(path)
    if not run.sites.is_file() or not run.record.is_file():
        raise PreflightError(f"{path} is no finished run. Give run folders of `cellwise run`.")
    images = Path(read_json(run.record)["inputs"]["folder"])
    numbers = {name: index for index, name in enumerate(class_list("hpa19").names)}
    found = []
    for site in read_sites(run.sites):
        part = "test" if site.part == "test" else "train"
        names = site.labels or ()
        if part == "train" and not names:
            continue
        unknown = [name for name in names if name not in numbers]
        if unknown:
            raise PreflightError(
                f"{path}: {unknown[0]!r} is no class of the HPA challenge of 2021."
            )
        name = site.raw_id.rsplit("/", 1)[-1] if not public else site.id
        classes = tuple(sorted(numbers[name] for name in names))
        found.append(_Field(name, site, run, images, public, part, classes))
    return found


def _check(fields: Sequence[_Field], out: Path) -> None:
    if not fields:
        raise PreflightError("No field of these runs has a label or is of a test part.")
    seen: set[str] = set()
    for field in fields:
        if field.name.lower() in seen:
            raise PreflightError(
                f"Two fields are called {field.name!r}; {out} can hold one. Leave a run out."
            )
        seen.add(field.name.lower())
    for images in {field.images for field in fields}:
        if not images.is_dir():
            raise PreflightError(f"The images in {images} are gone. Put them back.")


def _write(field: _Field, out: Path, *, side: int, mask: bool) -> int:
    """Write what is not there yet; the side of the original image in pixels.

    Raises:
        InputError: The field cannot be read or lacks a channel.
    """
    target, labels = image_path(out, field.part, field.name), mask_path(out, field.part, field.name)
    pixels = read_field(field.site, field.images)
    if not target.is_file():
        keys = [channel.key for channel in pixels.channels]
        wanted = [HPA_COLOURS[colour] for colour in ORDER]
        lacking = [role for role in wanted if role not in keys]
        if lacking:
            raise InputError(f"There is no channel {lacking[0]}.", code="channel_missing")
        taken = pixels.pixels[[keys.index(role) for role in wanted]]
        write_image(target, np.rint(taken * 255).astype(np.uint8), side=side)
    if mask and not labels.is_file():
        write_mask(labels, read_masks(field.run.masks, field.site.id).cells, side=side)
    return int(pixels.pixels.shape[1])


def _folds(fields: Sequence[_Field], seed: int) -> list[int]:
    """A fold for each field, every class shared out evenly over both sources together."""
    if len(fields) < FOLDS:
        return [0] * len(fields)
    labels = np.zeros((len(fields), len(class_list("hpa19").names)), np.bool_)
    for row, field in enumerate(fields):
        labels[row, list(field.classes)] = True
    given = SplitInput(
        tuple(field.name for field in fields),
        np.arange(len(fields)),
        labels,
        np.ones(len(fields), np.bool_),
        FOLDS,
        seed,
    )
    fold: npt.NDArray[np.int64] = splitters.build("grouped")(given)
    return [int(number) for number in fold]


def _remember(out: Path, runs: Sequence[Path], side: int) -> None:
    """Note what the folder is made from, or refuse where that was something else.

    Raises:
        PreflightError: It was made from other runs, or at another size.
    """
    tables = [RunFolder(run).sites.read_bytes() for run in runs]
    record = {"side": side, "runs": [hashlib.sha256(table).hexdigest() for table in tables]}
    path = out / RECORD
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != record:
        raise PreflightError(f"{out} was made from other runs or at another size. Choose another.")
    write_text(path, json.dumps(record, indent=1) + "\n")


def _write_failures(out: Path, failures: Sequence[tuple[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("ID", "reason"))
    writer.writerows(failures)
    write_text(out / FAILURES, text.getvalue())
