"""The engine itself: batches to workers of Dask, results in the order of the batches."""

import os
import pickle
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from cellwise.errors import Interrupted, PreflightError
from cellwise.flow.engines import Context, Heard, Needs, Result, Unit
from cellwise.flow.engines.dask.flight import Batch, Flight
from cellwise.flow.engines.dask.lease import Lease, Unfit
from cellwise.flow.engines.dask.places import Place, Say
from cellwise.flow.engines.dask.session import Session, Worker
from cellwise.flow.engines.dask.work import Answer

# Seconds between two looks at what came back, and at who is there.
_LISTEN, _LOOK = 0.2, 5.0
# Batches handed over, and batches that may be waiting for an earlier one, for each worker.
_HANDED, _KEPT = 2, 8
# Workers sent away one after the other without one batch done.
_SENT_AWAY = 20


class DaskEngine:
    """Workers of Dask; the scheduler is spoken to when it is first needed.

    Only small things travel: a batch, its results, and the names of the files that were written;
    the files themselves lie on a disk that all see.

    Args:
        place: Where the workers are.
        patience: Seconds to wait for a file that was said to be there.
    """

    def __init__(self, place: Place, *, patience: float | None = None) -> None:
        self._place = place
        self._say: Say = _unsaid
        self._session: Session | None = None
        self._device = "cpu"
        self._lease = Lease(uuid.uuid4().hex)
        if patience is not None:
            self._lease = replace(self._lease, patience=patience)
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._sent_away = 0
        self._left_out: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        self._end()

    @property
    def workers(self) -> int:
        """Workers that there may be at the same time."""
        return self._place.most() or max(1, len(self._connected().recent_workers()))

    @property
    def gpus(self) -> int:
        """Workers with a GPU that there are now, at least 1."""
        found = sum(worker.gpu for worker in self._connected().recent_workers())
        # Jobs of a batch system come when there is work for them.
        return found or max(1, self._place.most() if not self._place.own else 1)

    def make_ready(self, needs: Needs, say: Say) -> None:
        """See that workers can do the work, where they are known before it; see `Engine`."""
        self._say, self._device = say, needs.device
        run, folders = needs.run.absolute(), tuple(f.absolute() for f in needs.folders)
        self._lease = replace(self._lease, run=run, folders=folders, place=Path.cwd())
        self._place.foresee(needs.device)
        token = self._lease.token
        assert token is not None
        token.parent.mkdir(parents=True, exist_ok=True)
        token.write_text(self._lease.session, encoding="utf-8")
        _sync(token)
        if not self._place.most():
            self._check(self._connected())

    def map(
        self,
        work: Callable[[list[Unit], Context], list[Result]],
        batches: Iterable[tuple[list[Unit], Context]],
        *,
        lost: Callable[[Unit], Result],
        heard: Heard | None = None,
        most: int = 0,
        gpu: bool = False,
    ) -> Iterator[list[Result]]:
        """Yield the results of each batch, in order; see `Engine.map`."""
        source = iter(batches)
        first = next(source, None)
        if first is None:
            return
        session = self._connected()
        # On a machine of one GPU its one worker is the machine's own business.
        gpu = gpu and self._device != "cpu" and not self._place.own
        self._lease = replace(self._lease, step=self._lease.step + 1)
        flight = Flight(session, work, replace(self._lease, gpu=gpu), name=_name(work))
        flight.arrived = self._wait_for_files  # type: ignore[method-assign]
        pending: deque[Batch] = deque([flight.add(*first)])
        watch = _Watch(self._place.wait, self._say)
        try:
            while True:
                slots, kept = self._room(most, gpu=gpu)
                flight.push(slots)
                while (
                    not flight.is_closed
                    and len(flight.under_way) < slots
                    and len(pending) < kept
                    and (batch := next(source, None)) is not None
                ):
                    pending.append(flight.add(*batch))
                if not pending:
                    return
                for unfit in flight.land(_LISTEN, lost):
                    self._send_away(unfit, gpu=gpu)
                self._pass_on(heard)
                watch.look(session, gpu=gpu)
                while pending and pending[0].done:
                    self._sent_away = 0
                    yield pending.popleft().results()
        finally:
            flight.cancel()

    def stop(self) -> None:
        """End workers that need this machine's cores; others keep to themselves."""
        if self._place.own:
            self._disconnect()

    def _room(self, most: int, *, gpu: bool) -> tuple[int, int]:
        """Batches that may be handed over, and batches that may be kept for an earlier one."""
        workers = self.gpus if gpu else self.workers
        if most and most < workers:
            return most, _KEPT * most
        return _HANDED * workers, _KEPT * workers

    def _connected(self) -> Session:
        if self._session is None:
            client = self._place.connect(self._lease.run, self._say)
            self._session = Session(client)
            client.subscribe_topic(self._lease.session, self._hear)
            if not self._place.most():
                self._session.wait_for_workers(self._place.wait, self._say)
        return self._session

    def _check(self, session: Session) -> None:
        """Refuse workers that are there and cannot do the work."""
        found = session.workers()
        for worker in found:
            self._place.check_worker(worker.address)
        session.check_versions()
        on_gpu = [w for w in found if w.gpu] if self._device != "cpu" else []
        session.check_fit(self._lease, [w for w in found if w not in on_gpu])
        session.check_fit(replace(self._lease, gpu=True), on_gpu)
        if self._device != "cpu" and not on_gpu:
            raise PreflightError(
                f"No worker at {session.address} has the resource GPU. Start those that have one "
                'with `dask worker --nthreads 1 --resources "GPU=1"`, or give --device cpu.'
            )

    def _wait_for_files(self, answer: Answer) -> None:
        """Wait until what a worker says it has written is seen here too.

        Raises:
            Interrupted: It is not, after a while.
        """
        until = time.monotonic() + self._lease.patience
        for path, size in answer.files:
            while not _is_seen(path, size):
                if time.monotonic() > until:
                    raise Interrupted(
                        f"{path} was written on {answer.host} and is not seen here after "
                        f"{self._lease.patience:.0f} s. The run folder has to lie on a shared "
                        "disk; the same command continues from here."
                    )
                time.sleep(_LISTEN)

    def _send_away(self, unfit: Unfit, *, gpu: bool) -> None:
        """Do without a worker.

        Raises:
            Interrupted: All are like that.
        """
        if unfit.worker and unfit.worker in self._left_out:
            # Batches that it had been handed before.
            return
        self._left_out.add(unfit.worker)
        self._sent_away += 1
        session = self._connected()
        if unfit.worker:
            session.retire(unfit.worker)
        left = [w for w in session.workers() if w.address != unfit.worker and (w.gpu or not gpu)]
        if self._sent_away > _SENT_AWAY or (not left and not self._place.most()):
            raise Interrupted(
                f"{unfit} No other worker that could do it is there. Correct that; the same "
                "command continues from here."
            )
        self._say(f"{unfit} It is left out.")

    def _hear(self, event: Any) -> None:
        self._messages.put(event[1])

    def _pass_on(self, heard: Heard | None) -> None:
        while not self._messages.empty():
            message = self._messages.get()
            if heard is not None:
                heard(pickle.loads(message))

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
        self._place.close()

    def _end(self) -> None:
        # First: a worker that is cut off writes nothing from now on.
        if self._lease.token is not None:
            self._lease.token.unlink(missing_ok=True)
        self._disconnect()


class _Watch:
    """Sees that somebody is there to work; a run that waits for nobody ends."""

    def __init__(self, patience: float, say: Say) -> None:
        self._patience, self._say = patience, say
        self._waits = False
        self._looked = self._seen = time.monotonic()

    def look(self, session: Session, *, gpu: bool) -> None:
        """Look now and then.

        Raises:
            Interrupted: The scheduler is gone, or nobody was there for too long.
        """
        now = time.monotonic()
        if session.is_lost():
            raise Interrupted(
                f"The scheduler at {session.address} is gone. The same command continues from here."
            )
        if now - self._looked < _LOOK:
            return
        self._looked = now
        found: list[Worker] = session.workers()
        what = "worker with a GPU" if gpu else "worker"
        if any(worker.gpu or not gpu for worker in found):
            self._seen, self._waits = now, False
        elif now - self._seen > self._patience:
            raise Interrupted(
                f"No {what} came to the scheduler at {session.address} within {self._patience:.0f} "
                "s. The same command continues from here."
            )
        elif not self._waits:
            self._waits = True
            self._say(f"Waiting for a {what} at {session.address}, {self._patience:.0f} s at most")


def _is_seen(path: Path, size: int) -> bool:
    try:
        # Opened: a network disk then asks for the newest.
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == size
    except OSError:
        return False


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _name(work: Callable[..., Any]) -> str:
    """What the dashboard calls a function: the step where it is one's, else its own name."""
    parts = work.__module__.split(".")
    return parts[-2] if parts[-1] == "step" and len(parts) > 1 else work.__name__


def _unsaid(text: str) -> None:
    """Nobody listens."""
