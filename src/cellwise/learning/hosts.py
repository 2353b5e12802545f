"""Trainings on several hosts that share a file system: whole ones side by side, or one together.

Where there are as many trainings as hosts or more, each host does whole ones: nothing but files
goes between hosts, and weights are those of one host, bit for bit. Fewer trainings than hosts are
done by all together, over the network, where that is allowed.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from cellwise.errors import Interrupted
from cellwise.learning._others import (
    HERE,
    JOIN,
    POLL,
    SEEN,
    SILENT,
    HostLost,
    Hosts,
    Sharing,
    Training,
)
from cellwise.learning.ranks import Seats, free_port
from cellwise.store.hosts import LEAD, host

__all__ = ["Sharing", "Training", "share_out"]


def share_out(trainings: Sequence[Training], sharing: Sharing) -> dict[str, int]:
    """Do all trainings on the hosts that are there; returns how many hosts, and how many were lost.

    A host that is lost costs what it had begun since its last epoch; another one goes on with it.

    Args:
        trainings: Those that are not done.
        sharing: How.

    Raises:
        CellwiseError: What one of them raised on purpose; the others are stopped.
        Interrupted: Processes ended without a word, or a result of another host is not seen here.
    """
    lead = sharing.files.read(LEAD)
    hosts = Hosts(sharing, str(lead.get("token", "")))
    there = _gathered(hosts)
    try:
        if len(trainings) >= sharing.nodes:
            _side_by_side(trainings, hosts)
        elif not _may_share(hosts, there, sharing):
            wait = "fewer models than hosts, and no --insecure-cluster: some hosts have no work"
            sharing.told(0, 0, 1, wait)
            _side_by_side(trainings, hosts)
        else:
            for number, training in enumerate(trainings):
                _together(number, training, hosts, str(lead.get("host", "")))
    finally:
        for number in there:
            hosts.end(number)
    return {"hosts": len(there), "hosts_lost": len(hosts.lost)}


def _gathered(hosts: Hosts) -> list[int]:
    """The hosts, once all are there or the wait for them is over."""
    begun, nodes = time.monotonic(), hosts.sharing.nodes
    while len(there := hosts.there()) < nodes and time.monotonic() - begun < JOIN:
        left = round((JOIN - (time.monotonic() - begun)) / 60)
        wanted = f"waits for {nodes - len(there)} of {nodes} hosts, {left} min at most"
        hosts.sharing.told(0, 0, 1, wanted)
        time.sleep(POLL)
    return there


def _may_share(hosts: Hosts, there: list[int], sharing: Sharing) -> bool:
    """Whether one training may be shared: all on this machine, or over the network."""
    names = {sharing.files.read(host(n)).get("host") for n in there if n != HERE}
    return sharing.network or names <= {sharing.files.read(LEAD).get("host")}


def _side_by_side(trainings: Sequence[Training], hosts: Hosts) -> None:
    waiting = deque(range(len(trainings)))
    busy: dict[int, tuple[int, int]] = {}
    alone = Seats(hosts.sharing.devices)
    while waiting or busy:
        for number in hosts.there():
            if waiting and number not in busy:
                training = waiting.popleft()
                seats = Seats(alone.devices, port=free_port()) if number == HERE else alone
                busy[number] = (training, hosts.ask(number, trainings[training], seats))
        for number, (training, asked) in list(busy.items()):
            told = _of(training, hosts.sharing.told)
            try:
                done = hosts.is_done(number, asked, told)
            except HostLost:
                hosts.lost.add(number)
                del busy[number]
                waiting.appendleft(training)
                told(0, 1, f"{hosts.name(number)} gave no sign for {SILENT:.0f} s and is left out")
                continue
            if done:
                hosts.end(number)
                del busy[number]
                _wait_until_seen(trainings[training], hosts.name(number))
        if HERE not in busy:
            time.sleep(POLL)


def _together(number: int, training: Training, hosts: Hosts, address: str) -> None:
    """One training on all hosts; without those that are lost once more, from the last epoch."""
    while True:
        there = hosts.there()
        names = {hosts.sharing.files.read(host(n)).get("host") for n in there if n != HERE}
        known = address if names - {address} else "127.0.0.1"
        port, devices = free_port(), hosts.sharing.devices
        asked = {}
        for node, other in enumerate(there):
            seats = Seats(devices, node, len(there), known, port)
            asked[other] = hosts.ask(other, training, seats)
        gone = _lost_of(number, asked, hosts)
        if not gone:
            _wait_until_seen(training, "this host")
            return
        for other in there:
            hosts.end(other)
        hosts.lost |= gone


def _lost_of(number: int, asked: dict[int, int], hosts: Hosts) -> set[int]:
    """Wait for all hosts of one training; those that were lost before it was done."""
    told = _of(number, hosts.sharing.told)
    left = set(asked)
    while left:
        for other in sorted(left):
            try:
                done = hosts.is_done(other, asked[other], told if other == HERE else _unheard)
            except HostLost:
                return {other}
            except Interrupted as error:
                return _who_is_gone(asked, hosts, error)
            if done:
                left.discard(other)
        if HERE not in left:
            time.sleep(POLL)
    return set()


def _who_is_gone(asked: dict[int, int], hosts: Hosts, error: Interrupted) -> set[int]:
    """Processes end where those of another host are gone: which host shows a little later.

    Raises:
        CellwiseError: What one of them raised on purpose, or `error` where all hosts are there.
    """
    begun = time.monotonic()
    while time.monotonic() - begun < SILENT + 2 * POLL:
        for other in set(asked) - {HERE}:
            try:
                hosts.is_done(other, asked[other], _unheard)
            except HostLost:
                return {other}
            except Interrupted:
                continue
        time.sleep(POLL)
    raise error


def _wait_until_seen(training: Training, name: str) -> None:
    """Files that another host wrote may be seen here a little later.

    Raises:
        Interrupted: They are not.
    """
    begun = time.monotonic()
    while not training.is_seen():
        if time.monotonic() - begun > SEEN:
            raise Interrupted(
                f"{name} says that it has written a model, and after {SEEN:.0f} s it is not seen "
                "here. See that all hosts share the run folder; the same command continues."
            )
        time.sleep(POLL)


def _of(number: int, told: Callable[[int, int, int, str], None]) -> Callable[..., None]:
    return lambda done, total, note: told(number, done, total, note)


def _unheard(*content: Any) -> None:
    """The first process of all tells for all."""
