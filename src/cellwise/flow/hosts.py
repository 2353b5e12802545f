"""Several hosts that train for one run: signs of the one that holds it, and the work of others."""

import dataclasses
import os
import platform
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise import __version__
from cellwise.domain.steps import Job
from cellwise.errors import CellwiseError, Interrupted, PreflightError, UsageError
from cellwise.flow.recipe.kinds import step_module
from cellwise.store.hosts import LEAD, HostFiles, Silence, call, host

if TYPE_CHECKING:
    from cellwise.learning.ranks import Crew

# Seconds: between signs, to wait for a run to begin, and without a sign of it.
_EVERY, JOIN, LEAD_SILENT = 2.0, 600.0, 120.0
_POLL = 0.25
_PATHS = ("run", "images", "fitted")


def node_of(given: int | None, nodes: int) -> int:
    """The number of this host: as given, else as Slurm or torch's own starter numbers it, else 0.

    Raises:
        UsageError: There is no such host.
    """
    number = given
    if number is None and nodes > 1:
        told = os.environ.get("SLURM_NODEID") or os.environ.get("NODE_RANK") or "0"
        number = int(told) if told.isdigit() else 0
    number = number or 0
    if not 0 <= number < nodes:
        raise UsageError(f"--node {number}: of {nodes} hosts the numbers are 0 to {nodes - 1}.")
    return number


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _this_host() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


@contextmanager
def _signs(files: HostFiles, name: str, facts: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Write a file anew every two seconds, from a thread of its own: imports may take a minute."""
    over = threading.Event()

    def give() -> None:
        beat = 0
        while not over.wait(_EVERY):
            if told := facts():
                beat += 1
                files.write_if_possible(name, {**told, "beat": beat})

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def leading(run: Path, nodes: int) -> Iterator[None]:
    """Give signs to other hosts while this process holds a run that several train for."""
    if nodes < 2:
        yield
        return
    files = HostFiles(run)
    files.clear()
    facts = {**_this_host(), "token": uuid.uuid4().hex, "cellwise": __version__}
    facts |= {"python": _python(), "nodes": nodes}
    files.write(LEAD, {**facts, "beat": 0})
    try:
        with _signs(files, LEAD, lambda: facts):
            yield
    finally:
        files.write_if_possible(LEAD, {**facts, "ended": True})


def _job_of(words: dict[str, Any]) -> Job:
    facts: dict[str, Any] = {n: Path(v) if n in _PATHS and v else v for n, v in words.items()}
    return Job(**facts)


@dataclass(slots=True)
class _Member:
    """What another host knows and does."""

    files: HostFiles
    number: int
    fits: Callable[[Job], None]
    say: Callable[[str], None]
    token: str = ""
    seen: int = 0
    crew: "Crew | None" = None
    sign: dict[str, Any] = field(default_factory=dict)

    def join(self, lead: dict[str, Any]) -> None:
        """Take part in the run of this process."""
        self.rest()
        self.token, self.seen = str(lead["token"]), 0
        self.sign = {**_this_host(), "token": self.token, "state": "free"}
        self.say(f"Host {self.number} trains for the run that {lead.get('host')} holds.")

    def look(self) -> None:
        """Begin or end what is asked, and go on with it."""
        asked = self.files.read(call(self.number))
        if asked.get("token") == self.token and int(asked.get("call", 0)) != self.seen:
            self.seen = int(asked["call"])
            self.rest()
            if asked.get("words"):
                self._begin(asked)
        if self.crew is not None:
            self._go_on(self.crew)

    def rest(self) -> None:
        """End what is under way."""
        if self.crew is not None:
            self.crew.end()
            self.crew = None

    def _begin(self, asked: dict[str, Any]) -> None:
        from cellwise.learning.ranks import Crew, Seats, free_port

        self.sign |= {"call": self.seen, "state": "busy", "progress": None, "error": ""}
        words = asked["words"]
        job, seats = _job_of(words["job"]), Seats(**asked["seats"])
        if seats.nodes == 1:
            seats = dataclasses.replace(seats, port=free_port())
        try:
            self.fits(job)
            work, arguments = step_module(words["kind"]).called(job, words["fold"], words["part"])
        except CellwiseError as error:
            self._failed(error)
            return
        self.crew = Crew(work, arguments, seats)
        self.crew.start()

    def _go_on(self, crew: "Crew") -> None:
        try:
            done = crew.is_done(self._note, _POLL)
        except CellwiseError as error:
            self.rest()
            self._failed(error)
            return
        if done:
            self.rest()
            self.sign["state"] = "done"

    def _failed(self, error: CellwiseError) -> None:
        self.sign |= {"state": "failed", "kind": type(error).__name__, "error": str(error)}

    def _note(self, done: int, total: int, note: str) -> None:
        self.sign["progress"] = [done, total, note]


def serve(
    run: Path, number: int, *, fits: Callable[[Job], None], say: Callable[[str], None]
) -> None:
    """Train what the process that holds a run asks of this host, until that run has ended.

    Args:
        run: The run folder, on a file system that all hosts share.
        number: Of this host, from 1.
        fits: Raises where this host cannot do a job.
        say: Told what the user should know.

    Raises:
        PreflightError: No run began here in time, or it is of another version.
        Interrupted: The process that holds it gives no signs any more.
    """
    member = _Member(HostFiles(run), number, fits, say)
    say(f"Waiting for host 0 to begin {run}, {JOIN / 60:.0f} minutes at most.")
    try:
        with _signs(member.files, host(number), lambda: dict(member.sign)):
            _take_part(run, member)
    finally:
        member.rest()
        if member.sign:
            member.files.write_if_possible(host(number), {**member.sign, "beat": -1})


def _take_part(run: Path, member: _Member) -> None:
    heard, begun, first = Silence(), time.monotonic(), None
    while True:
        lead = member.files.read(LEAD)
        token, sign = str(lead.get("token", "")), (lead.get("token"), lead.get("beat"))
        silent = heard.seconds(sign)
        first = sign if first is None and token else first
        if token != member.token and token and sign != first and not lead.get("ended"):
            # It has given a sign since this host looks: it lives.
            _check(lead, member.number)
            member.join(lead)
        if not member.token and time.monotonic() - begun > JOIN:
            raise PreflightError(
                f"Host 0 did not begin {run} within {JOIN / 60:.0f} minutes. Give the same "
                "command there, with --node 0, and see that both share this folder."
            )
        if member.token and lead.get("ended"):
            return
        if member.token and silent > LEAD_SILENT:
            raise Interrupted(
                f"Host 0 has given no sign for {LEAD_SILENT:.0f} s. The same command there and "
                "here continues."
            )
        if member.token:
            member.look()
        if member.crew is None:
            time.sleep(_POLL)


def _check(lead: dict[str, Any], number: int) -> None:
    """Refuse to train beside another version: weights would be of both."""
    here = (__version__, _python())
    there = (str(lead.get("cellwise")), str(lead.get("python")))
    if here != there:
        raise PreflightError(
            f"Host {number} has cellwise {here[0]} with Python {here[1]}, and host 0 cellwise "
            f"{there[0]} with Python {there[1]}. Install the same on both."
        )
    if number >= int(lead.get("nodes", 1)):
        raise PreflightError(
            f"Host 0 counts {lead.get('nodes')} hosts, from 0, and this one is {number}. Give the "
            "same --nodes on all."
        )
