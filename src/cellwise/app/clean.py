"""Freeing what a run can make again: single-cell images and temporary work."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.app.status import run_status
from cellwise.domain.plain_words import counted
from cellwise.domain.tables import PIXELS
from cellwise.errors import PreflightError, StorageError
from cellwise.flow.pipeline.lock import locked
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

_DONE = ("done", "reused")
_UNDER_WAY = {
    "train": ("{}-*", "begins again, its checkpoints are gone"),
    "score": ("scores-{}", "begins again"),
}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was freed, or would be.

    Args:
        freed: Bytes by folder of the run, only those that were there.
        redone: Step and what the next run does again for it, in the order of the recipe.
        images: The folder that the next run needs for that.
    """

    freed: dict[str, int]
    redone: dict[str, str]
    images: str


def clean_run(run: Path, *, dry_run: bool = False) -> Cleaned:
    """Delete the folders `crops` and `work` of a run; everything else stays.

    Args:
        run: A run folder, finished or not.
        dry_run: Only find out what would be deleted.

    Raises:
        PreflightError: Not a run folder, or one of the folders is a link to another place.
        RunLocked: A process works in it.
        StorageError: Something cannot be deleted.
    """
    facts = run_status(run)
    folder = RunFolder(run)
    with locked(run):
        found = [path for path in (folder.crops, folder.temporary) if path.exists()]
        for path in found:
            if path.is_symlink() or not path.is_dir():
                raise PreflightError(f"{path} is no folder of its own. Delete by hand what it is.")
        freed = {path.name: _bytes_in(path) for path in found}
        redone = dict(_redone(folder, facts["steps"])) if any(freed.values()) else {}
        if not dry_run:
            for path in found:
                _delete(path)
    record = read_json(folder.record)
    return Cleaned(freed, redone, str((record.get("inputs") or {}).get("folder") or ""))


def _redone(run: RunFolder, steps: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """What a resume finds missing: rows and crops of cells, and what was under way."""
    for step in steps:
        title = step["name"] if step["name"] == step["kind"] else f"{step['kind']} {step['name']}"
        if step["kind"] == "segment":
            # Beside the table only the temporary notes tell what decoding showed.
            lost = step["sites"] - _sites_in_table(run)
            if lost > 0:
                yield title, counted(lost, "sites")
        elif step["kind"] == "cells" and step["sites"] and _cells_need_crops(run):
            yield title, f"{counted(step['sites'], 'sites')}, from images and masks"
        elif step["kind"] in _UNDER_WAY and step["state"] not in _DONE:
            place, what = _UNDER_WAY[step["kind"]]
            if any(run.temporary.glob(place.format(step["name"]))):
                yield title, what


def _cells_need_crops(run: RunFolder) -> bool:
    """Whether cells are made again: their crops go, or their rows lie in the temporary folder."""
    return any(run.crops.glob("*.npy")) or not run.cells.is_file()


def _sites_in_table(run: RunFolder) -> int:
    if not run.pixels.is_file():
        return 0
    return int(read_table(run.pixels, PIXELS)["site_id"].n_unique())


def _bytes_in(folder: Path) -> int:
    files = (Path(base) / name for base, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in files)


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise StorageError(
            error.errno,
            f"Cannot delete {error.filename or folder}: {error.strerror}. See to that and give the "
            "same command again.",
        ) from error
