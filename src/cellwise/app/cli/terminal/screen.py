"""The terminal: progress bars where a person watches, plain lines where a log is kept."""

import sys
import time
from typing import Any

_PLAIN_EVERY = 10.0


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
            self._close()
            self._listener = make_listener()
            self._listener.step_started(self._name, total=total, unit=self._unit, why="")
        self._last = done
        self._listener.step_advanced(done, total=total, note=note)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        """Put the terminal in order, also after an error."""
        self._close()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.ended("")


class Lines:
    """Plain lines: one when a step starts, one every ten seconds, one when it is done."""

    def __init__(self) -> None:
        self._name = ""
        self._unit = ""
        self._started = 0.0
        self._spoken = 0.0

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Say what begins and what made it necessary."""
        self._name, self._unit = name, unit
        self._started = self._spoken = time.monotonic()
        count = f" {total} {unit}s" if total else ""
        print(f"{name}:{count}{f' ({why})' if why else ''} ...", file=sys.stderr, flush=True)

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Say how far it is, at most every ten seconds."""
        now = time.monotonic()
        if now - self._spoken < _PLAIN_EVERY or not total:
            return
        self._spoken = now
        rate = done / max(now - self._started, 1e-9)
        left = (total - done) / max(rate, 1e-9)
        print(
            f"{self._name}: {done}/{total} ({rate:.1f}/s, {_clock(left)} left) {note}",
            file=sys.stderr,
            flush=True,
        )

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Say what came out."""
        print(f"{name}: done in {_clock(seconds)}{_said(counts)}", file=sys.stderr, flush=True)

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Say that nothing had to be done."""
        print(f"{name}: as before{_said(counts)}", file=sys.stderr, flush=True)

    def ended(self, status: str) -> None:
        """Leave the last words to the command."""

    def message(self, text: str) -> None:
        """Pass a sentence on."""
        print(text, file=sys.stderr, flush=True)


class Bars:
    """One bar per step, with rate and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._task: Any = None

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Open a bar."""
        if why:
            self._say(f"{name}: {why}", "dim")
        self._task = self._progress.add_task(name, total=total or None, note="")
        self._progress.start()

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total or None, note=note[:30])

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Close the bar and leave one line."""
        self._close_bar()
        self._say(f" {name:<18} {_clock(seconds):>7}{_said(counts)}", "", tick="✓")

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
        f"{value:,.0f} {name.replace('_', ' ')}"
        for name, value in counts.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return f" · {' · '.join(plain[:5])}" if plain else ""


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
