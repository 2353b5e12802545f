"""Stopping from outside: the first signal unwinds the run, later ones do not disturb that."""

import os
import signal
from types import FrameType

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
