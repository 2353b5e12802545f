"""Batches on their way: what was handed to workers, what came back, what is tried again."""

import pickle
import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from cellwise.errors import Interrupted
from cellwise.flow.engines.dask.lease import Lease, Unfit, Withdrawn
from cellwise.flow.engines.dask.session import GPU, Session
from cellwise.flow.engines.dask.work import work_there

# Workers that say they cannot take a batch, before that is taken for the batch's own fault.
_UNFIT_AT_MOST = 3


@dataclass(slots=True, eq=False)
class Try:
    """Some units that are worked on at once.

    `alone` says that nothing else may be under way: a worker that is then lost, is lost by it.
    """

    units: list[Any]
    context: Any
    results: list[Any] | None = None
    alone: bool = False
    refused: int = 0


@dataclass(slots=True, eq=False)
class Batch:
    """A batch: at first one try; one for each unit where workers were lost with it."""

    tries: list[Try] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all its results are there."""
        return all(one.results is not None for one in self.tries)

    def results(self) -> list[Any]:
        """The results of its units, in order."""
        return [result for one in self.tries for result in one.results or []]


class Flight:
    """What is under way for one `map`.

    Args:
        session: The scheduler.
        work: The function.
        lease: What workers need.
        name: What the dashboard calls it.
    """

    def __init__(
        self, session: Session, work: Callable[..., Any], lease: Lease, *, name: str
    ) -> None:
        self._session, self._work, self._lease = session, work, lease
        self._name = f"{name}-{lease.session}-{lease.step}"
        self._numbers = count()
        self._landed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._batches: dict[Try, Batch] = {}
        self.under_way: dict[Any, Try] = {}
        # Tried again before anything new, and those that wait until nothing else is under way.
        self._again: deque[Try] = deque()
        self._alone: deque[Try] = deque()

    def add(self, units: list[Any], context: Any) -> Batch:
        """Hand a batch over."""
        first = Try(units, context)
        batch = Batch([first])
        self._batches[first] = batch
        self._submit(first)
        return batch

    @property
    def is_closed(self) -> bool:
        """Whether nothing new may be added now."""
        return bool(self._alone or self._again) or any(t.alone for t in self.under_way.values())

    def push(self, slots: int) -> None:
        """Hand over what waits, as far as there is room."""
        if any(one.alone for one in self.under_way.values()):
            return
        while self._again and len(self.under_way) < slots:
            self._submit(self._again.popleft())
        if self._alone and not self.under_way:
            self._submit(self._alone.popleft())

    def land(self, seconds: float, lost: Callable[[Any], Any]) -> Iterator[Unfit]:
        """Take what came back, after a wait of so many seconds at most.

        Yields:
            Workers that cannot do the work, to be sent away.

        Raises:
            Interrupted: The scheduler is gone.
            Exception: What the work itself raised.
        """
        futures = self._waited(seconds)
        good = [future for future in futures if future.status == "finished"]
        answers = self._session.results(good) if good else []
        wrong: list[tuple[Try, BaseException]] = []
        for future, answer in zip(good, answers, strict=True):
            one = self.under_way.pop(future)
            if isinstance(answer, BaseException):
                wrong.append((one, answer))
            else:
                self._take(one, answer)
        for future in futures:
            if future in self.under_way:
                wrong.append((self.under_way.pop(future), self._error(future)))
        for one, error in wrong:
            unfit = self._failed(one, error, lost)
            if unfit is not None:
                yield unfit

    def cancel(self) -> None:
        """Give up what is under way."""
        futures, self.under_way = list(self.under_way), {}
        for future in futures:
            future.release()

    def _submit(self, one: Try) -> None:
        payload = pickle.dumps((self._work, one.units, one.context))
        future = self._session.client.submit(
            work_there,
            payload,
            self._lease,
            key=f"{self._name}-{next(self._numbers)}",
            pure=False,
            resources={GPU: 1} if self._lease.gpu else None,
        )
        self.under_way[future] = one
        future.add_done_callback(self._landed.put)

    def _waited(self, seconds: float) -> Sequence[Any]:
        """What came back, each once."""
        found: dict[Any, None] = {}
        try:
            found[self._landed.get(timeout=seconds)] = None
            while True:
                found[self._landed.get_nowait()] = None
        except queue.Empty:
            pass
        return [future for future in found if future in self.under_way]

    def _take(self, one: Try, content: bytes) -> None:
        answer = pickle.loads(content)
        self.arrived(answer)
        one.results = answer.results
        self._batches.pop(one, None)

    def arrived(self, answer: Any) -> None:
        """Called with each answer before its results count; may be replaced."""

    def _error(self, future: Any) -> BaseException:
        """What went wrong with a task that did not finish."""
        if future.status != "error":
            return Interrupted(
                f"The scheduler at {self._session.address} is gone. The same command continues "
                "from here."
            )
        error: BaseException = future.exception(timeout=10.0)
        return error

    def _failed(self, one: Try, error: BaseException, lost: Callable[[Any], Any]) -> Unfit | None:
        """Try again what may go better elsewhere; what is the work's own fault is raised."""
        from distributed import KilledWorker

        if isinstance(error, TimeoutError):
            self._again.append(one)
            return None
        if isinstance(error, KilledWorker | MemoryError):
            self._without_the_killer(one, lost)
            return None
        if isinstance(error, Withdrawn):
            raise Interrupted(f"{error}: something else took the run folder over.") from error
        unfit = _as_unfit(error)
        if unfit is None:
            raise error
        if one.refused >= _UNFIT_AT_MOST:
            raise Interrupted(f"{unfit} So said {one.refused + 1} workers, one by one.") from error
        one.refused += 1
        self._again.append(one)
        return unfit

    def _without_the_killer(self, one: Try, lost: Callable[[Any], Any]) -> None:
        """Each unit by itself, then with nothing else under way, to find the one that kills."""
        batch = self._batches[one]
        if len(one.units) > 1:
            parts = [Try([unit], one.context) for unit in one.units]
            at = batch.tries.index(one)
            batch.tries[at : at + 1] = parts
            del self._batches[one]
            self._batches |= dict.fromkeys(parts, batch)
            self._again.extend(parts)
        elif not one.alone:
            one.alone = True
            self._alone.append(one)
        else:
            one.results = [lost(one.units[0])]
            del self._batches[one]


def _as_unfit(error: BaseException) -> Unfit | None:
    """The error as one of the worker and not of the work: a worker may lack this very code."""
    if isinstance(error, Unfit):
        return error
    if isinstance(error, ImportError) and str(error.name or "").split(".")[0] == "cellwise":
        return Unfit("", "an unknown host", "has another cellwise, or none")
    return None
