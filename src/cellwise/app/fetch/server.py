"""Asking a server for files, politely and with patience, and telling what cannot be had.

One rate over all connections, a pause that doubles after each failure, the pause that the server
asks for (`Retry-After`) kept by all, and a limit on time without an answer.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from cellwise import __version__
from cellwise.app.fetch.images import StoredImage
from cellwise.errors import InputError

# Answers that may be others a little later.
_PASSING = {408, 421, 423, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524}
# Bytes that have to come within the time of patience; what comes slower never ends.
_LEAST_PROGRESS = 4096


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server is asked.

    Args:
        rate: Requests in a second at most, over all connections.
        patience: Seconds without an answer, or with nearly none, after which a try has failed.
        attempts: Tries for each file at most.
        first_pause: Seconds before the second try; doubled before each further one.
        longest_pause: Seconds a server may ask to wait; where it asks for more, the fetch ends.
        most_bytes: Size of an answer at most.
        most_silent: Files one after the other without any good answer, after which the fetch ends.
    """

    rate: float = 10.0
    patience: float = 30.0
    attempts: int = 5
    first_pause: float = 1.0
    longest_pause: float = 300.0
    most_bytes: int = 1 << 28
    most_silent: int = 20


class NotHad(Exception):
    """A file cannot be had."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Passing(Exception):
    """One try failed; the next may not."""


class Server:
    """A client for many threads.

    Args:
        manners: How to ask.
        stop: Set from outside to end all waiting; a call then raises `NotHad`.
        received: Called with the number of bytes of each piece that comes.
    """

    def __init__(
        self, manners: Manners, stop: threading.Event, received: Callable[[int], None]
    ) -> None:
        self._manners, self._stop, self._received = manners, stop, received
        self._lock = threading.Lock()
        self._next = self._open_at = 0.0
        self._closed = ""
        self._silent = 0
        limit = httpx.Timeout(manners.patience)
        self._client = httpx.Client(
            timeout=limit,
            follow_redirects=True,
            headers={"User-Agent": f"cellwise/{__version__}", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=None),
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, address: str, accept: Callable[[bytes], StoredImage]) -> StoredImage:
        """The image at an address, once it is what it should be.

        Args:
            address: Where it lies.
            accept: Takes the bytes and makes of them what is returned; raises `InputError` where
                they are not whole or not what they should be, which is asked for again.

        Raises:
            NotHad: It cannot be had; says why.
        """
        seen: list[str] = []
        reason, silent = "", True
        for attempt in range(self._manners.attempts):
            if attempt:
                self._pause(attempt)
            self._await_turn()
            try:
                content = self._once(address)
            except _Passing as error:
                reason = str(error)
                continue
            silent = False
            self._count_silence(silent=False)
            try:
                return accept(content)
            except InputError as error:
                reason = error.reason
                seen.append(hashlib.sha256(content).hexdigest())
        self._count_silence(silent=silent)
        if len(seen) == self._manners.attempts and len(set(seen)) == 1:
            reason = f"{reason} The same bytes came each time."
        raise NotHad(f"{reason} Tried {self._manners.attempts} times.")

    def _pause(self, attempt: int) -> None:
        manners = self._manners
        pause = min(manners.first_pause * 2 ** (attempt - 1), manners.longest_pause)
        # Connections that failed together shall not ask together again.
        self._stop.wait(pause * random.uniform(0.8, 1.2))

    def _once(self, address: str) -> bytes:
        try:
            with self._client.stream("GET", address) as answer:
                self._check(answer)
                return self._body(answer)
        except httpx.TimeoutException as error:
            raise _Passing(f"No answer within {self._manners.patience:g} s.") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise NotHad(f"The address leads nowhere: {error}.") from error
        except httpx.TransportError as error:
            raise _Passing(f"The connection failed: {str(error).rstrip('.')}.") from error

    def _check(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == 200:
            return
        said = f"The server answers {status} {answer.reason_phrase}.".replace(" .", ".")
        if status not in _PASSING:
            self._count_silence(silent=False)
            raise NotHad(said)
        asked = _seconds(answer.headers.get("Retry-After", ""))
        if asked is not None:
            if asked > self._manners.longest_pause:
                self._closed = (
                    f"The server asks to wait {asked:.0f} s. Give the same command again then."
                )
                raise NotHad(f"{said} {self._closed}")
            with self._lock:
                self._open_at = max(self._open_at, time.monotonic() + asked)
        raise _Passing(said)

    def _body(self, answer: httpx.Response) -> bytes:
        pieces, size = [], 0
        mark, at_mark = time.monotonic(), 0
        for piece in answer.iter_raw():
            if self._stop.is_set():
                raise NotHad("The fetch was stopped.")
            pieces.append(piece)
            size += len(piece)
            self._received(len(piece))
            if size > self._manners.most_bytes:
                raise NotHad(f"The answer is longer than {self._manners.most_bytes:,} bytes.")
            now = time.monotonic()
            if now - mark > self._manners.patience:
                if size - at_mark < _LEAST_PROGRESS:
                    raise _Passing(f"Hardly anything came within {self._manners.patience:g} s.")
                mark, at_mark = now, size
        return b"".join(pieces)

    def _await_turn(self) -> None:
        """Wait for a place in the rate, and for the pause that the server asked for."""
        while True:
            with self._lock:
                turn = max(self._next, self._open_at, time.monotonic())
                self._next = turn + 1 / self._manners.rate
            self._stop.wait(turn - time.monotonic())
            if self._stop.is_set():
                raise NotHad("The fetch was stopped.")
            with self._lock:
                if self._closed:
                    raise NotHad(self._closed)
                # Else the server asked for a pause meanwhile.
                if self._open_at <= time.monotonic():
                    return

    def _count_silence(self, *, silent: bool) -> None:
        with self._lock:
            self._silent = self._silent + 1 if silent else 0
            if self._silent >= self._manners.most_silent and not self._closed:
                self._closed = (
                    f"The server gave no good answer for {self._silent} files one after the other. "
                    "See whether it can be reached from here, and give the same command again."
                )


def _seconds(text: str) -> float | None:
    """What `Retry-After` asks for: seconds, or a date."""
    text = text.strip()
    if text.isdecimal():
        return float(text)
    with suppress(ValueError, TypeError):
        at = parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    return None
