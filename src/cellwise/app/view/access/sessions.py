"""Sessions: who looks at the run and may do what, known by a secret in a cookie.

They live in the memory of the server: they end with it, after a time without any request, and at
the latest after a week.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

IDLE = 12 * 3600.0
"""Seconds without a request after which a session ends."""
LIFE = 7 * 24 * 3600.0
"""Seconds after which it ends in any case."""
MOST = 1000
"""Sessions at once; of more, the one that was used longest ago ends."""
LONGEST_NAME = 80


class Role(StrEnum):
    """What a visitor may do."""

    VIEWER = "viewer"
    EDITOR = "editor"


@dataclass(slots=True)
class Session:
    """One visitor.

    Args:
        role: What they may do.
        who: Their name as verdicts keep it; empty where they gave none yet.
        key: The secret of the cookie.
        csrf: The secret that a page of this server sends with whatever changes something.
        began, seen: Seconds of the clock.
    """

    role: Role
    who: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    began: float = 0.0
    seen: float = 0.0


class Sessions:
    """All sessions of a server.

    Args:
        clock: Seconds that only go forward.
        most: How many there may be at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._found: OrderedDict[str, Session] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._found)

    def open(self, role: Role, who: str = "") -> Session:
        """A new session, with secrets of its own."""
        now = self._clock()
        session = Session(role, who, began=now, seen=now)
        with self._lock:
            self._found[session.key] = session
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return session

    def find(self, key: str) -> Session | None:
        """The session of this secret, None where it is unknown or has ended."""
        now = self._clock()
        with self._lock:
            # A key of 256 random bits is not found by measuring how long a dictionary takes.
            session = self._found.get(key)
            if session is None:
                return None
            if now - session.seen > IDLE or now - session.began > LIFE:
                del self._found[key]
                return None
            session.seen = now
            self._found.move_to_end(key)
            return session

    def close(self, key: str) -> None:
        """End a session; an unknown one is none."""
        with self._lock:
            self._found.pop(key, None)


def name_of_person(text: str) -> str:
    """A name as it is kept: one line, without blanks at its ends, of 80 letters at most."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line[:LONGEST_NAME].strip()
