"""Several devices, one process each: who has which share of a batch, and starting them.

Every process knows the whole batch's positions, sees its own share of the items, and is told the
others' answers; the loss is that of the whole batch, also where it is no mean over items.
"""

import multiprocessing
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from cellwise.errors import BadOption, CellwiseError, Interrupted

_RANK, _SIZE, _NODES = "CELLWISE_RANK", "CELLWISE_RANKS", "CELLWISE_NODES"
_LISTEN = 0.5

Rows = TypeVar("Rows", Tensor, np.ndarray[Any, Any])


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together.

    Args:
        rank: Counted over all hosts.
        size: How many there are, on all hosts.
        nodes: Hosts that they are on, as many on each.
    """

    rank: int = 0
    size: int = 1
    nodes: int = 1

    @staticmethod
    def here() -> "Ranks":
        """As a `Crew` started this process; alone where none did."""
        given = (os.environ.get(_RANK, 0), os.environ.get(_SIZE, 1), os.environ.get(_NODES, 1))
        return Ranks(*map(int, given))

    def own(self, rows: Rows) -> Rows:
        """This process's share of a batch: rows that follow each other, as equal as can be.

        Raises:
            BadOption: There are fewer rows than processes.
        """
        if self.size == 1:
            return rows
        bounds = self._bounds(len(rows))
        return rows[bounds[self.rank] : bounds[self.rank + 1]]

    def together(self, rows: Tensor, of: int) -> Tensor:
        """The rows of all processes in order; gradients flow to this one's own.

        Args:
            rows: `[k * share, ...]` for a share of a batch, `k` for each of its items or bags.
            of: Items or bags of the whole batch.
        """
        if self.size == 1:
            return rows
        counts = np.diff(self._bounds(of))
        each = len(rows) // int(counts[self.rank])
        padded = rows.new_zeros(each * int(counts.max()), *rows.shape[1:])
        padded[: len(rows)] = rows.detach()
        found = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(found, padded)
        parts = [one[: each * int(count)] for one, count in zip(found, counts, strict=True)]
        parts[self.rank] = rows
        return torch.cat(parts)

    def _bounds(self, count: int) -> Any:
        if count < self.size:
            raise BadOption(
                f"train: a batch of {count} cannot be shared by {self.size} devices. Give a larger "
                "batch or fewer devices."
            )
        sizes = [count // self.size + (rank < count % self.size) for rank in range(self.size)]
        return np.concatenate([[0], np.cumsum(sizes)])


@dataclass(frozen=True, slots=True)
class Seats:
    """Where the processes of one host are among all that train together.

    Args:
        devices: Processes on this host, as many as on every other.
        node: This host's number.
        nodes: Hosts.
        address: Of host 0, as the others reach it.
        port: A free one there.
    """

    devices: int
    node: int = 0
    nodes: int = 1
    address: str = "127.0.0.1"
    port: int = 0


class Crew:
    """Fresh processes of this host that do one piece of work together.

    Args:
        work: A function that another process can import, called as `work(*arguments, tell)`.
        arguments: Anything that can be pickled.
        seats: How many, and where they are among all.
    """

    def __init__(self, work: Callable[..., None], arguments: tuple[Any, ...], seats: Seats) -> None:
        context = multiprocessing.get_context("spawn")
        self._voice: Any = context.Queue()
        leash, self._end = context.Pipe(duplex=False)
        self._left = seats.devices
        self._processes: list[Any] = [
            context.Process(target=_be, args=(local, seats, leash, self._voice, work, arguments))
            for local in range(seats.devices)
        ]

    def start(self) -> None:
        """Start the processes."""
        for one in self._processes:
            one.start()

    def is_done(self, told: Callable[..., None], wait: float = _LISTEN) -> bool:
        """Pass on what was said; whether all have ended well.

        Args:
            told: Called with what the first process of all told.
            wait: Seconds to listen.

        Raises:
            CellwiseError: What one of them raised on purpose.
            Interrupted: One of them ended without a word.
        """
        until = time.monotonic() + wait
        while self._left and (left := until - time.monotonic()) > 0:
            try:
                kind, content = self._voice.get(timeout=left)
            except queue.Empty:
                gone = [one for one in self._processes if one.exitcode not in (None, 0)]
                if gone:
                    raise Interrupted(
                        f"A process of this training ended with {gone[0].exitcode}. The same "
                        "command continues from the last epoch."
                    ) from None
                return False
            if kind == "told":
                told(*content)
            elif kind == "error":
                raise content
            else:
                self._left -= 1
        return not self._left

    def end(self) -> None:
        """End them all, whatever they are doing."""
        self._end.close()
        for one in self._processes:
            if one.pid is not None:
                # What it has written is whole; it may wait for one that is gone.
                one.kill()
                one.join()
        self._voice.close()


def in_ranks(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    *,
    devices: int,
    told: Callable[..., None],
) -> None:
    """Run `work(*arguments, tell)` in so many fresh processes and wait for all of them.

    Args:
        work: A function that another process can import; `tell(...)` of the first one reaches
            `told` here.
        arguments: Anything that can be pickled.
        devices: How many processes.
        told: Called here.

    Raises:
        CellwiseError: What one of them raised on purpose; the others are stopped.
        Interrupted: One of them ended without a word.
    """
    crew = Crew(work, arguments, Seats(devices, port=free_port()))
    try:
        crew.start()
        while not crew.is_done(told):
            continue
    finally:
        crew.end()


def _be(
    local: int,
    seats: Seats,
    leash: Connection,
    voice: Any,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """One process: its place in the environment, where lightning looks for it too."""
    rank, size = seats.node * seats.devices + local, seats.nodes * seats.devices
    here = {_RANK: rank, _SIZE: size, _NODES: seats.nodes, "MASTER_PORT": seats.port}
    here |= {"LOCAL_RANK": local, "NODE_RANK": seats.node, "WORLD_SIZE": size}
    os.environ.update({name: str(value) for name, value in here.items()})
    os.environ["MASTER_ADDR"] = seats.address
    # What an interrupt means is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()

    def tell(*content: Any) -> None:
        if rank == 0:
            voice.put(("told", content))

    try:
        work(*arguments, tell)
        voice.put(("done", rank))
    except CellwiseError as error:
        voice.put(("error", error))


def _end_with(leash: Connection) -> None:
    # Nothing is ever sent: this returns when the other end is gone.
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(1)


def free_port() -> int:
    """A port of this host that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
