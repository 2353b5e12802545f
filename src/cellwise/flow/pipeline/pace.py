"""How fast a step goes and how long it will take, by what was done of it since the start."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """The counts of one step as they are told.

    Args:
        clock: Seconds that only go forward.
    """

    clock: Callable[[], float] = time.monotonic
    done: int = 0
    total: int = 0
    _first: int | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)

    def advance(self, done: int, total: int) -> bool:
        """Take in a count; says whether counting began with it, or began anew.

        It begins again where another total is counted, or where counting falls back.
        """
        anew = self._first is None or total != self.total or done < self.done
        if anew:
            self._first, self._since = done, self.clock()
        self.done, self.total = done, total
        return anew

    @property
    def rate(self) -> float | None:
        """Units per second since counting began; None before anything was counted."""
        seconds = self.clock() - self._since
        if self._first is None or self.done <= self._first or not seconds > 0:
            return None
        return (self.done - self._first) / seconds

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None where there is none yet, or no total."""
        rate = self.rate
        return None if rate is None or not self.total else (self.total - self.done) / rate
