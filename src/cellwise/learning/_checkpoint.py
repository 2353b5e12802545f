"""Checkpoints at epoch ends: written whole, the last two kept, a torn one skipped."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from cellwise.store.atomic import writing

_KEPT = 2
_TORN = (
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    OSError,
    KeyError,
    ValueError,
)


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """The file of the checkpoint at the end of `epoch`, counted from 0."""
    return folder / f"epoch{epoch:05d}.ckpt"


def save_checkpoint(trainer: Any, folder: Path, epoch: int) -> None:
    """Write the state at the end of an epoch and delete what is older than the one before.

    Of several processes all call this, and the first one writes.
    """
    if not trainer.is_global_zero:
        trainer.save_checkpoint(checkpoint_path(folder, epoch))
        return
    with writing(checkpoint_path(folder, epoch)) as partial:
        trainer.save_checkpoint(partial)
    for path in _listed(folder)[_KEPT:]:
        path.unlink(missing_ok=True)


def last_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that can be read, with its content; None where there is none."""
    for path in _listed(folder):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if "cellwise" in content and "state_dict" in content:
                return path, content
        except _TORN:
            # The one before is whole: it was there before this one was begun.
            continue
    return None


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch*.ckpt"), reverse=True)
