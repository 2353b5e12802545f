"""A connection to a scheduler of Dask: each question has a limit and says what it waits for."""

import sys
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cellwise import __version__
from cellwise.errors import Interrupted, PreflightError
from cellwise.flow.engines.dask.lease import Lease, fault_here

# Seconds that a scheduler under load may take for an answer.
_ANSWER = 60.0
# And a single result, of a worker that may be gone.
_ONE_RESULT = 5.0
_AGAIN = 0.5
# For this long a list of workers is not asked for again.
_RECENT = 5.0
GPU = "GPU"


@dataclass(frozen=True, slots=True)
class Worker:
    """What the scheduler knows of a worker."""

    address: str
    threads: int
    gpu: bool

    @property
    def host(self) -> str:
        """Its host, as the scheduler reaches it."""
        return host_of(self.address)


def host_of(address: str) -> str:
    """The host in the address of a worker."""
    return urlsplit(address).hostname or address


class Session:
    """What the engine asks of a connected `distributed.Client`."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.address = str(client.scheduler.address)
        self._known: tuple[float, list[Worker]] = (-_RECENT, [])

    def recent_workers(self) -> list[Worker]:
        """Those that were there some seconds ago at most."""
        asked, found = self._known
        return found if time.monotonic() - asked < _RECENT and found else self.workers()

    def workers(self) -> list[Worker]:
        """Those that are there now.

        Raises:
            Interrupted: The scheduler does not answer.
        """

        async def asked() -> Any:
            return await self.client.scheduler.identity(n_workers=-1)

        found = self._ask(asked)["workers"]
        workers = [
            Worker(address, int(facts["nthreads"]), GPU in (facts.get("resources") or {}))
            for address, facts in found.items()
        ]
        self._known = (time.monotonic(), workers)
        return workers

    def check_versions(self) -> None:
        """Refuse workers of other versions, asked in a way that any version understands.

        Raises:
            PreflightError: Names the host and both versions.
        """

        async def asked() -> Any:
            return await self.client.get_versions(packages=["cellwise"], check=False)

        for address, told in self._ask(asked)["workers"].items():
            packages = (told or {}).get("packages") or {}
            python = ".".join(str(packages.get("python", "")).split(".")[:2])
            own = f"{sys.version_info.major}.{sys.version_info.minor}"
            where = f"The worker on {host_of(address)} ({address})"
            if python and python != own:
                raise PreflightError(f"{where} has Python {python}, the coordinator {own}.")
            version = packages.get("cellwise")
            if version is None:
                raise PreflightError(f"{where} has no cellwise. Install {__version__} there.")
            if version != __version__:
                raise PreflightError(
                    f"{where} has cellwise {version}, the coordinator {__version__}."
                )

    def check_fit(self, lease: Lease, workers: Collection[Worker]) -> None:
        """Refuse workers that cannot do the work, after a wait for files that may come late.

        Raises:
            PreflightError: Names the host and says why.
        """
        until = time.monotonic() + lease.patience
        left = {worker.address: worker for worker in workers}
        while left:
            addresses = list(left)

            async def asked(addresses: list[str] = addresses) -> Any:
                return await self.client.run(
                    fault_here, lease, workers=addresses, on_error="return"
                )

            told = self._ask(asked, limit=_ANSWER + lease.patience)
            faults = {a: str(fault) for a, fault in told.items() if fault}
            # A worker that went away meanwhile is not asked again.
            left = {address: left[address] for address in faults if address in left}
            if left and time.monotonic() > until:
                address, worker = next(iter(left.items()))
                raise PreflightError(
                    f"The worker on {worker.host} ({address}) {faults[address].rstrip('.')}."
                )
            if left:
                time.sleep(_AGAIN)

    def wait_for_workers(self, seconds: float, say: Callable[[str], None]) -> list[Worker]:
        """Those that are there, at least one.

        Raises:
            PreflightError: None came.
        """
        until = time.monotonic() + seconds
        told = time.monotonic() + 5.0
        while not (found := self.workers()):
            if time.monotonic() > until:
                raise PreflightError(
                    f"No worker came to the scheduler at {self.address} within {seconds:.0f} s. "
                    "Start workers with `dask worker --nthreads 1`, or look at the queue."
                )
            if time.monotonic() > told:
                told = until + 1.0
                say(f"Waiting for a worker at {self.address} (for {seconds:.0f} s at most)")
            time.sleep(_AGAIN)
        return found

    def results(self, futures: Sequence[Any]) -> list[bytes | BaseException]:
        """The result of each finished task, or what came in its place.

        A result that went away with its worker is worked out again by the scheduler, which may fail
        (`KilledWorker`) or last (`TimeoutError`).
        """

        async def asked() -> Any:
            return await self.client.gather(list(futures), asynchronous=True)

        try:
            return list(self.client.sync(asked, callback_timeout=_ANSWER))
        except Exception:  # noqa: BLE001 - each is looked at by itself
            return [self._result(future) for future in futures]

    def _result(self, future: Any) -> bytes | BaseException:
        try:
            content: bytes = future.result(timeout=_ONE_RESULT)
        except Exception as error:  # noqa: BLE001 - handed on
            return error
        return content

    def retire(self, address: str) -> None:
        """Send a worker away; what it was handed goes to others."""

        async def asked() -> Any:
            return await self.client.retire_workers([address], close_workers=True)

        with suppress(Exception):
            self.client.sync(asked, callback_timeout=10.0)

    def is_lost(self) -> bool:
        """Whether the scheduler has gone."""
        return self.client.status not in ("running", "connecting")

    def close(self) -> None:
        """End the connection; waits for seconds at most."""
        with suppress(Exception):
            self.client.close(timeout=5.0)

    def _ask(self, question: Callable[[], Coroutine[Any, Any, Any]], limit: float = _ANSWER) -> Any:
        try:
            return self.client.sync(question, callback_timeout=limit)
        except (TimeoutError, OSError) as error:
            raise Interrupted(
                f"The scheduler at {self.address} has not answered for {limit:.0f} s. The same "
                "command continues from here."
            ) from error
