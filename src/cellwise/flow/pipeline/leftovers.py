"""What a killed run leaves behind: files under temporary names, which nobody reads."""

import os
import re
import shutil
from pathlib import Path

_OWN = ("masks", "crops", "work", "labels", "scores", "decisions", "models", "embeddings", "done")
_TEMPORARY = re.compile(r"\..*\.partial(\.\w+)?|\..+\.[0-9a-f]{32}\.old")


def sweep(run: Path) -> int:
    """Delete unfinished files and folders of a run that nobody works in; how many there were."""
    found = _temporary_in(run)
    for name in _OWN:
        for base, folders, _ in os.walk(run / name):
            found += _temporary_in(Path(base))
            folders[:] = [folder for folder in folders if not _TEMPORARY.fullmatch(folder)]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def own_folders(run: Path) -> list[str]:
    """Which of the folders that a run makes are there."""
    return [name for name in _OWN if (run / name).is_dir()]


def _temporary_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if _TEMPORARY.fullmatch(entry.name)]
