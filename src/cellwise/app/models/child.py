"""The process that reads a foreign file of weights: with little memory, time and no way out.

Called by `convert`, never by hand: `main(source, target)` writes the tensors to `target` as
safetensors and says on standard output, as JSON, what it met.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What reading a pickle never does; it is refused below Python's own level, should a way be found.
_FORBIDDEN = (
    "os.",
    "subprocess.",
    "socket.",
    "ctypes.",
    "shutil.",
    "pty.",
    "fcntl.",
    "winreg.",
    "exec",
    "compile",
    "import",
    "open",
    "marshal.",
)
_ROOM = 1 << 30
_SECONDS = 60


def main(source: str, target: str) -> int:
    """Read `source`, write `target`, print what was found; 0 where it worked.

    Returns:
        0; 3 where the file asks for something to be run; 4 where it is torn.
    """
    # Everything is imported and opened before the doors close.
    import encodings.cp437  # noqa: F401

    import numpy as np
    from safetensors.numpy import save_file

    from cellwise.app.models.inert import Refused
    from cellwise.app.models.torch_files import read_torch_file

    path = Path(source)
    _limit(path.stat().st_size)
    try:
        with path.open("rb") as stream, _closed(Refused):
            found = read_torch_file(stream)
    except Refused as error:
        print(json.dumps({"refused": str(error)}))
        return 3
    except MemoryError:
        print(json.dumps({"torn": "it asks for more memory than such a file needs"}))
        return 4
    except Exception as error:  # noqa: BLE001  # A torn pickle may raise anything.
        print(json.dumps({"torn": f"{type(error).__name__}: {error}"[:300]}))
        return 4
    save_file({name: np.asarray(array, order="C") for name, array in found.tensors.items()}, target)
    print(json.dumps({"layers": found.layers, "classes": found.classes}))
    return 0


def _limit(size: int) -> None:
    """Bound memory, time, new processes and what may be written by the size of the file."""
    try:
        import resource
    except ImportError:
        # Windows has no such limits; the parent still ends it after a while.
        return
    bounds: dict[int, int] = {
        resource.RLIMIT_AS: _ROOM + 4 * size,
        resource.RLIMIT_CPU: _SECONDS + size // 10_000_000,
        resource.RLIMIT_FSIZE: (1 << 24) + 2 * size,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for what, most in bounds.items():
        with contextlib.suppress(OSError, ValueError):
            _, hard = resource.getrlimit(what)
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (allowed, allowed))


@contextlib.contextmanager
def _closed(refused: type[Exception]) -> Iterator[None]:
    """Within it nothing is opened, imported, started or connected."""
    state = {"closed": False}

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if not state["closed"] or not event.startswith(_FORBIDDEN):
            return
        raise refused(f"reading it would {event} {str(arguments[:1])[:60]}")

    sys.addaudithook(guard)
    state["closed"] = True
    try:
        yield
    finally:
        state["closed"] = False
