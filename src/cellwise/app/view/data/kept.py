"""Results that are kept while they fit, the one asked for longest ago leaving first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Results by key; two visitors who ask for one thing at once wait for one calculation.

    Args:
        most: The sum of sizes that is kept.
        size: How large a result is.
    """

    def __init__(self, most: float, size: Callable[[T], float] = lambda _: 1.0) -> None:
        self._most, self._size = most, size
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._held = 0.0
        self._lock = Lock()
        self._locks: dict[Hashable, Lock] = {}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: Hashable) -> T | None:
        """What is kept under a key."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        return None

    def put(self, key: Hashable, result: T) -> None:
        """Keep a result, and let go of older ones until all fit."""
        with self._lock:
            if key in self._found:
                self._held -= self._size(self._found.pop(key))
            self._found[key] = result
            self._held += self._size(result)
            while self._held > self._most and len(self._found) > 1:
                self._held -= self._size(self._found.popitem(last=False)[1])

    def give(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result under a key, made first where it is not kept."""
        found = self.get(key)
        if found is not None:
            return found
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        try:
            with lock:
                found = self.get(key)
                if found is None:
                    found = make()
                    self.put(key, found)
                return found
        finally:
            with self._lock:
                self._locks.pop(key, None)
