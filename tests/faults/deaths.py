"""Deaths that are played: from one change on disk on, an audit hook refuses every further one."""

import os
import sys

from tests.faults.fault_runs import run

CHANGES = {"open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "os.rmdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Died(BaseException):
    """In place of SIGKILL."""


class Death:
    """Refuses every change below a folder from the n-th on."""

    def __init__(self):
        self.folder = None
        self.left = 0
        self.seen = 0

    def __call__(self, event, arguments):
        if self.folder is None or event not in CHANGES:
            return
        if event == "open" and not (arguments[2] or 0) & WRITING:
            return
        place = arguments[0]
        if not isinstance(place, str | os.PathLike):
            return
        text = os.fspath(place)
        # The system lets go of the lock of a dead process; this process lives on.
        if not text.startswith(self.folder) or "/.lock" in text:
            return
        self.seen += 1
        if self.seen > self.left:
            raise Died

    def strike(self, out, *, after):
        self.folder, self.left, self.seen = str(out), after, 0

    def end(self):
        self.folder = None


def died(death, out, call, *, after):
    """A call that dies after so many changes below a folder; False where it came to its end."""
    death.strike(out, after=after)
    try:
        call()
    except Died:
        return True
    finally:
        death.end()
    return False


def die(death, folder, out, *settings, after, **options):
    """A run that dies after so many changes; False where it came to its end before."""
    return died(death, out, lambda: run(folder, out, *settings, **options), after=after)


def changes(death, folder, out, *settings, **options):
    """How many changes an undisturbed run makes."""
    assert not die(death, folder, out, *settings, after=10**9, **options)
    return death.seen


def new_death():
    """A hook that does nothing until it strikes; it cannot be taken away again."""
    hook = Death()
    sys.addaudithook(hook)
    return hook
