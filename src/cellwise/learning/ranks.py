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

_RANK, _SIZE = "CELLWISE_RANK", "CELLWISE_RANKS"
_LISTEN = 0.5

Rows = TypeVar("Rows", Tensor, np.ndarray[Any, Any])


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1

    @staticmethod
    def here() -> "Ranks":
        """As `in_ranks` started this process; alone where it did not."""
        return Ranks(int(os.environ.get(_RANK, 0)), int(os.environ.get(_SIZE, 1)))

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
    context = multiprocessing.get_context("spawn")
    voice: Any = context.Queue()
    leash, end = context.Pipe(duplex=False)
    port = _free_port()
    crew = [
        context.Process(target=_be, args=(rank, devices, port, leash, voice, work, arguments))
        for rank in range(devices)
    ]
    try:
        for one in crew:
            one.start()
        _listen(crew, voice, told)
    finally:
        end.close()
        for one in crew:
            if one.pid is not None:
                # What it has written is whole; it may wait for one that is gone.
                one.kill()
                one.join()
        voice.close()


def _listen(crew: list[Any], voice: Any, told: Callable[..., None]) -> None:
    left = len(crew)
    while left:
        try:
            kind, content = voice.get(timeout=_LISTEN)
        except queue.Empty:
            gone = [one for one in crew if one.exitcode not in (None, 0)]
            if gone:
                raise Interrupted(
                    f"A process of this training ended with {gone[0].exitcode}. The same command "
                    "goes on from the last epoch."
                ) from None
            continue
        if kind == "told":
            told(*content)
        elif kind == "error":
            raise content
        else:
            left -= 1


def _be(
    rank: int,
    size: int,
    port: int,
    leash: Connection,
    voice: Any,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """One process: its place in the environment, where lightning looks for it too."""
    here = {_RANK: rank, _SIZE: size, "LOCAL_RANK": rank, "NODE_RANK": 0, "WORLD_SIZE": size}
    os.environ.update({name: str(value) for name, value in here.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
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


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
