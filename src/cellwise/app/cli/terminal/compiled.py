"""A place for compiled loops where neither the installation nor the home can be written.

numba keeps what it compiled beside the code, else in the user's cache folder, and refuses to start
where it can do neither.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

VERBS = ("run", "predict", "demo", "check")
_VARIABLE = "NUMBA_CACHE_DIR"


def keep_compiled_code(words: list[str]) -> None:
    """Give numba a folder of this process's own if it would find none; workers inherit it.

    Args:
        words: The command line; only verbs that compute need the place.
    """
    if not (words and words[0] in VERBS) or os.environ.get(_VARIABLE):
        return
    package = Path(__file__).resolve().parents[3]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    beside = [package / name / "__pycache__" for name in ("kernels", "stages/segment")]
    if all(map(_can_be_made, beside)) or _can_be_made(cache / "numba"):
        return
    # Never a shared folder of a known name: what lies in it is run.
    place = tempfile.mkdtemp(prefix="cellwise-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    os.environ[_VARIABLE] = place
    print(
        "cellwise: compiled code cannot be kept, so every start takes some seconds more; "
        f"{_VARIABLE} may name a folder for it.",
        file=sys.stderr,
    )


def _can_be_made(folder: Path) -> bool:
    """Whether the folder is there and writable, or could be made."""
    try:
        place = next(path for path in (folder, *folder.parents) if path.exists())
    except PermissionError:
        return False
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
