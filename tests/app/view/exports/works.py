"""What processes of these tests do in place of an export."""

import os
import signal
import time
from pathlib import Path


def for_ever(run, name, place, told):
    """Tells of one field, and then of nothing; it can be interrupted."""
    Path(place).parent.mkdir(exist_ok=True)
    told.send(("at", 1, 7))
    try:
        while True:
            time.sleep(0.05)
    finally:
        Path(place).with_suffix(".ended").touch()


def deaf(run, name, place, told):
    """Goes on whatever it is told."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    told.send(("at", 1, 7))
    while True:
        time.sleep(0.05)


def killed(run, name, place, told):
    """Ends without a word, as a process without memory does."""
    os._exit(9)


def quick(run, name, place, told):
    """Writes a file with its name."""
    Path(place).parent.mkdir(exist_ok=True)
    Path(place).write_text(name)
    told.send(("at", 3, 3))
    told.send(("done", 3, 30, [("A01", "gone")], 1))
