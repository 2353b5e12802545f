"""How long a server is waited for, and how often it is asked: no wait is without an end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of every wait.

    Args:
        connect: Seconds for a connection.
        read: Seconds without a byte.
        tries: How often one piece of a file is asked for.
        pause: Seconds before the second try; twice as long before each further one.
    """

    connect: float = 10.0
    read: float = 60.0
    tries: int = 4
    pause: float = 0.5

    def answer(self, ask: Callable[[], Value], may_pass: Callable[[Exception], bool]) -> Value:
        """What is answered, asked again after an error that may pass; the last one is raised."""
        pause, left = self.pause, self.tries - 1
        while True:
            try:
                return ask()
            except Exception as error:
                if left <= 0 or not may_pass(error):
                    raise
            left -= 1
            time.sleep(pause)
            pause *= 2
