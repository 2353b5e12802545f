"""The run as it is now: loaded again when one of its tables was written anew."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from cellwise.app.view.data.opened import Opened, open_run, stamp_of
from cellwise.errors import CellwiseError

# Seconds between two looks at the folder; each costs a few milliseconds on a shared disk.
_EVERY = 2.0


class Live:
    """Gives the run as it is on disk; while a table is torn or gone, as it was before.

    Args:
        path: The run folder.
        clock: Seconds that only go forward.

    Raises:
        PreflightError: No cells were found in it yet.
        FormatError: A table is torn.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self._clock = path, clock
        self._lock = Lock()
        self._opened = open_run(path)
        self._seen = clock()
        self.trouble = ""

    def now(self) -> Opened:
        """The run; a moment old at most."""
        with self._lock:
            if self._clock() - self._seen >= _EVERY:
                self._look()
                self._seen = self._clock()
            return self._opened

    def _look(self) -> None:
        stamp = stamp_of(self.path)
        if stamp == self._opened.stamp and not self.trouble:
            return
        try:
            self._opened, self.trouble = open_run(self.path, self._opened), ""
        except (CellwiseError, OSError) as error:
            self.trouble = (
                f"The run changed and cannot be read at present; this is how it was before. {error}"
            )
