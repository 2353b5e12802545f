"""Work of `benchmarks/engines.py`, in a file that worker processes can import."""

import time
from typing import Any


def busy(units: list[int], seconds: float) -> list[int]:
    """Keep a core busy for so many CPU seconds with each unit; nothing sleeps."""
    for _ in units:
        until, x = time.thread_time() + seconds, 1
        while time.thread_time() < until:
            for _ in range(1000):
                x = x * 1103515245 % 2147483647
    return units


def nothing(units: list[int], context: Any) -> list[int]:
    """Give the units back."""
    return units
