"""Stopping from outside: the first signal unwinds the run, later ones do not disturb that."""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cellwise.errors import Interrupted, StorageError
from cellwise.parts.devices import gpu_fault

# What the machine is to blame for: a full, failing, vanished or read-only disk, too few handles.
_OUTSIDE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOTCONN),
}
_SAID = "Interrupted. The same command continues from here."
_LATER = b"cellwise: still stopping; once more ends at once (nothing is lost by that).\n"


class Stopped(BaseException):
    """Raised by the first interrupt or termination signal.

    No `KeyboardInterrupt`: libraries catch that one themselves and leave with an exit code of
    their own.
    """


class StopSignals:
    """Handler of SIGINT and SIGTERM for a command: stop, then say so, then end at once."""

    def __init__(self) -> None:
        self._count = 0

    def install(self) -> None:
        """Take both signals over; only the main thread may do this."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # Who starts a command in the background with signals ignored means it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """React to a signal."""
        self._count += 1
        if self._count == 1:
            raise Stopped
        if self._count > 2:
            os._exit(5)
        # A print may be under way below this handler and must not be entered twice.
        os.write(2, _LATER)

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._count > 0


def stop_was_asked() -> bool:
    """Whether a signal has asked this command to stop.

    Compiled code that calls back into Python may answer `Stopped` with an error of its own; who
    catches such an error can tell here that nothing is wrong.
    """
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return any(isinstance(handler, StopSignals) and handler.asked for handler in handlers)


@dataclass(slots=True)
class Ending:
    """How work ended: `done`, `interrupted` (the same command continues) or `failed`."""

    status: str = "failed"


@contextmanager
def ending_of(out: Path) -> Iterator[Ending]:
    """Tell work that was stopped from outside from work that failed.

    Args:
        out: The folder that it writes to, for the words of an error that names no file.

    Raises:
        Interrupted: A signal stopped it, workers are gone, or a GPU is.
        StorageError: The disk is full, failing, gone or read-only.
    """
    ending = Ending()
    try:
        yield ending
        ending.status = "done"
    except (KeyboardInterrupt, Stopped, SystemExit) as error:
        # Lightning turns an interrupt into an exit of its own.
        ending.status = "interrupted"
        raise Interrupted(_SAID) from error
    except (StorageError, Interrupted):
        ending.status = "interrupted"
        raise
    except Exception as error:
        if stop_was_asked():
            ending.status = "interrupted"
            raise Interrupted(_SAID) from error
        if fault := gpu_fault(error):
            ending.status = "interrupted"
            raise Interrupted(
                f"This machine {fault}. See to that (`nvidia-smi`) and give the same command again."
            ) from error
        if not isinstance(error, OSError) or error.errno not in _OUTSIDE:
            raise
        ending.status = "interrupted"
        raise StorageError(
            error.errno,
            f"{error.filename or out}: {error.strerror}. See to that and give the "
            "same command again.",
        ) from error
