"""The other hosts of a training: who is there, what each is asked, and what it says."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cellwise import errors
from cellwise.errors import CellwiseError, Interrupted
from cellwise.learning.ranks import Crew, Seats
from cellwise.store.hosts import HostFiles, Silence, call, host

# Seconds: to wait for hosts, without a sign of one, and for its result to be seen here.
JOIN, SILENT, SEEN = 600.0, 60.0, 60.0
POLL = 0.5
HERE = 0


@dataclass(frozen=True, slots=True)
class Training:
    """One training that any of the hosts can do.

    Args:
        work: What a process does, see `Crew`.
        arguments: Of it.
        words: What another host is told, values of JSON.
        is_seen: Whether its result lies where this process looks for it.
    """

    work: Callable[..., None]
    arguments: tuple[Any, ...]
    words: dict[str, Any]
    is_seen: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Sharing:
    """How trainings are shared out.

    Args:
        files: Through which hosts are told.
        nodes: Hosts, with this one.
        devices: Processes of one training on each host.
        network: Whether hosts may share one training over the network.
        told: Called with the number of a training, what is done of it, of how much, and a note.
    """

    files: HostFiles
    nodes: int
    devices: int
    network: bool
    told: Callable[[int, int, int, str], None]


class HostLost(Exception):
    """Nothing was heard of a host for too long."""


@dataclass(slots=True)
class Hosts:
    """The hosts that are there."""

    sharing: Sharing
    token: str
    heard: dict[int, Silence] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    asked: int = 0
    crew: Crew | None = None

    def there(self) -> list[int]:
        """The numbers of the hosts that give signs; this one is 0."""
        files = self.sharing.files
        found = [n for n in files.hosts() if n not in self.lost and self._is_alive(n)]
        return [HERE, *found[: self.sharing.nodes - 1]]

    def name(self, number: int) -> str:
        """A host in words."""
        return f"host {number} ({self.sharing.files.read(host(number)).get('host', '?')})"

    def ask(self, number: int, training: Training, seats: Seats) -> int:
        """Let a host begin; returns the number of the call."""
        self.asked += 1
        if number == HERE:
            self.crew = Crew(training.work, training.arguments, seats)
            self.crew.start()
            return self.asked
        facts = {"token": self.token, "call": self.asked, "words": training.words}
        where: dict[str, Any] = {"devices": seats.devices, "node": seats.node, "nodes": seats.nodes}
        where |= {"address": seats.address, "port": seats.port}
        self.sharing.files.write(call(number), {**facts, "seats": where})
        return self.asked

    def is_done(self, number: int, asked: int, told: Callable[..., None]) -> bool:
        """Whether a host has done what it was asked.

        Raises:
            CellwiseError: It raised it on purpose.
            Interrupted: Its processes ended without a word.
            HostLost: It gives no sign.
        """
        if number == HERE:
            assert self.crew is not None
            return self.crew.is_done(told, POLL)
        if not self._is_alive(number):
            raise HostLost
        said = self.sharing.files.read(host(number))
        if said.get("call") != asked:
            return False
        if said.get("progress"):
            told(*said["progress"])
        if said.get("state") == "failed":
            raise _error_of(said, self.name(number))
        return bool(said.get("state") == "done")

    def end(self, number: int) -> None:
        """Let a host stop what it does."""
        if number != HERE:
            self.asked += 1
            facts = {"token": self.token, "call": self.asked}
            self.sharing.files.write_if_possible(call(number), facts)
        elif self.crew is not None:
            self.crew.end()
            self.crew = None

    def _is_alive(self, number: int) -> bool:
        said = self.sharing.files.read(host(number))
        if said.get("token") != self.token:
            return False
        if said.get("host") == socket.gethostname() and not _runs(int(said.get("pid", 0))):
            return False
        return self.heard.setdefault(number, Silence()).seconds(said.get("beat")) < SILENT


def _runs(pid: int) -> bool:
    """Whether this machine has such a process; a number below 1 is none to ask about."""
    if pid < 1:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Another user's.
        return True
    return True


def _error_of(said: dict[str, Any], name: str) -> CellwiseError:
    kind = getattr(errors, str(said.get("kind")), Interrupted)
    text = f"{name}: {said.get('error')}"
    if isinstance(kind, type) and issubclass(kind, errors.UsageError | errors.PreflightError):
        return kind(text)
    return Interrupted(text)
