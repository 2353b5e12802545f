"""The terminal: progress bars where a person watches, plain lines where a log is kept."""

import sys
import time
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.flow.pipeline.pace import Pace

_PLAIN_EVERY = 10.0
_SLOW = 0.1  # a rate below reads as 0.0


def make_listener() -> Any:
    """A listener that draws bars on a terminal, or prints a line now and then."""
    return Bars() if sys.stderr.isatty() else Lines()


class Progress:
    """What a long call tells as `(done, total, note)`, drawn as one step; to be used in a `with`.

    A call that begins to count anew (the next of several trainings) gets a new bar.

    Args:
        name: What the step is called.
        unit: What is counted.
        after: Seconds of silence: shorter work is not worth a bar.
    """

    def __init__(self, name: str, *, unit: str, after: float = 2.0) -> None:
        self._name, self._unit = name, unit
        self._silent_until = time.monotonic() + after
        self._listener: Any = None
        self._last = 0

    def __call__(self, done: int, total: int, note: str) -> None:
        """Show how far it is."""
        if time.monotonic() < self._silent_until:
            return
        if self._listener is None or done < self._last:
            self.close()
            self._listener = make_listener()
            self._listener.step_started(self._name, total=total, unit=self._unit, why="")
        self._last = done
        self._listener.step_advanced(done, total=total, note=note)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        """Put the terminal in order, also after an error."""
        self.close()

    def close(self) -> None:
        """Take the bar away; one call more begins another."""
        if self._listener is not None:
            self._listener.ended("")
            self._listener = None


class Lines:
    """Plain lines: one when a step starts, one every ten seconds, one when it is done."""

    def __init__(self) -> None:
        self._name = ""
        self._unit = ""
        self._pace = Pace()
        self._spoken = 0.0

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Say what begins and what made it necessary."""
        self._name, self._unit = name, unit
        self._pace, self._spoken = Pace(), time.monotonic()
        if unit:
            self._pace.advance(0, total)
        count = f" {counted(total, f'{unit}s')}" if total and unit else ""
        print(f"{name}:{count}{f' ({why})' if why else ''} ...", file=sys.stderr, flush=True)

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Say how far it is, at most every ten seconds."""
        self._pace.advance(done, total)
        now = time.monotonic()
        if now - self._spoken < _PLAIN_EVERY or not total:
            return
        self._spoken = now
        rate, left = self._pace.rate, self._pace.seconds_left
        facts = [_spoken_rate(rate)] if rate and self._unit else []
        facts += [f"{clock(left)} left"] if left else []
        said = f" ({', '.join(facts)})" if facts else ""
        print(
            f"{self._name}: {_far(done, total, self._unit)}{said} {note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Say what came out."""
        print(f"{name}: done in {clock(seconds)}{_said(counts)}", file=sys.stderr, flush=True)

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Say that nothing had to be done."""
        print(f"{name}: as before{_said(counts)}", file=sys.stderr, flush=True)

    def ended(self, status: str) -> None:
        """Leave the last words to the command."""

    def message(self, text: str) -> None:
        """Pass a sentence on."""
        print(text, file=sys.stderr, flush=True)


def _spoken_rate(rate: float) -> str:
    """How fast it goes: of slow steps how long one takes."""
    return f"{rate:.1f}/s" if rate >= _SLOW else f"{clock(1 / rate)} each"


class Bars:
    """One bar per step, with rate and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[far]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn(
                "{task.fields[note]}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            expand=True,
            console=self._console,
            transient=True,
        )
        self._task: Any = None
        self._unit, self._pace = "", Pace()

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Open a bar."""
        self._unit, self._pace = unit, Pace()
        if unit:
            self._pace.advance(0, total)
        if why:
            self._say(f"{name}: {why}", "dim")
        far = _far(0, total, unit)
        self._task = self._progress.add_task(name, total=total or None, note="", far=far)
        self._progress.start()

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Move the bar; the rate is that since this start."""
        if self._task is None:
            return
        if self._pace.advance(done, total):
            self._progress.reset(self._task, completed=done, total=total or None)
        far = _far(done, total, self._unit)
        self._progress.update(self._task, completed=done, total=total or None, note=note, far=far)

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Close the bar and leave one line."""
        self._close_bar()
        self._say(f" {name:<18} {clock(seconds):>7}{_said(counts)}", "", tick="✓")

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Leave one line for a step that was done before."""
        self._say(f"= {name:<18} as before{_said(counts)}", "dim")

    def ended(self, status: str) -> None:
        """Give the terminal its cursor back, also in the middle of a step."""
        self._close_bar()

    def message(self, text: str) -> None:
        """Pass a sentence on."""
        self._say(text, "")

    def _close_bar(self) -> None:
        if self._task is not None:
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None

    def _say(self, text: str, style: str, *, tick: str = "") -> None:
        from rich.text import Text

        # Names of files and steps may hold brackets, which rich would take for markup.
        line = Text.assemble((tick, "green"), (text, style))
        self._console.print(line, highlight=False, soft_wrap=True)


def _said(counts: dict[str, Any]) -> str:
    plain = [
        counted(value, name)
        for name, value in counts.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return f" · {' · '.join(plain[:5])}" if plain else ""


def _far(done: int, total: int, unit: str) -> str:
    """How far a step is: of what has a unit its count, else the share alone."""
    if unit:
        return f"{done:,}/{counted(total, f'{unit}s')}"
    return f"{done / total:.0%}" if total else ""


def clock(seconds: float) -> str:
    """A duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
