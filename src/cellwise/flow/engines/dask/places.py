"""Where the workers of the engine are: on this machine, or at a scheduler that runs already."""

import importlib.util
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cellwise.errors import PreflightError
from cellwise.flow.engines.dask.certificates import is_here, made_security
from cellwise.flow.engines.local import undisturbed

Say = Callable[[str], None]

HERE = "127.0.0.1"
# Seconds for a scheduler to answer when it is first spoken to, and for a cluster to end.
_KNOCK, _GREETING, FAREWELL = 10.0, 30.0, 20.0
# A batch that a worker was lost with is looked at unit by unit. A worker has its next batch before
# it has done the one before. One that keeps memory is not paused: nothing would wake it.
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-saturation": 2.0,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    # Lost workers start again at once: what they import first is there already.
    "distributed.worker.multiprocessing-method": "forkserver",
}
INSECURE = (
    "Warning: --insecure-cluster: whoever reaches this scheduler over the network can run any "
    "program in your name, and read and change your files."
)


class Place(Protocol):
    """Where workers are.

    `wait` is how many seconds none may be there; `own` says that they are processes of this run on
    this machine, which needs its cores for other steps.
    """

    wait: float
    own: bool

    def foresee(self, device: str) -> None:
        """Refuse what can be seen before anything is started.

        Args:
            device: `cpu` or `cuda`.

        Raises:
            PreflightError: Says what.
        """

    def most(self) -> int:
        """Workers at the same time, as far as it is known beforehand; 0 where it is not."""

    def connect(self, run: Path | None, say: Say) -> Any:
        """Start what has to be started, and give a connected `distributed.Client`.

        Args:
            run: The run folder, on a disk that workers see.
            say: Told where the dashboard is, and what is of danger.

        Raises:
            PreflightError: Nobody answers, or nothing can be started.
        """

    def check_worker(self, address: str) -> None:
        """Refuse a worker that everybody on the network may speak to.

        Raises:
            PreflightError: Says which.
        """

    def close(self) -> None:
        """End what was started; waits for seconds at most."""


class LocalPlace:
    """Worker processes of this machine under a scheduler of this process."""

    wait = 120.0
    own = True

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._cluster: Any = None
        self._settings = ExitStack()
        self._said = False

    def foresee(self, device: str) -> None:
        """Nothing to see."""

    def most(self) -> int:
        """The workers asked for."""
        return self._workers

    def connect(self, run: Path | None, say: Say) -> Any:
        """Start scheduler and workers; both listen on the loopback address, with certificates."""
        import dask
        from distributed import LocalCluster

        be_silent()
        # On a machine that several people use the loopback address is open to all of them.
        security = made_security()
        # All threads and processes below inherit that Ctrl-C is not theirs.
        self._settings.enter_context(dask.config.set(SETTINGS))
        with undisturbed():
            self._cluster = LocalCluster(
                n_workers=self._workers,
                threads_per_worker=1,
                memory_limit=0,
                host=HERE,
                dashboard_address=f"{HERE}:0",
                security=security,
                silence_logs=logging.CRITICAL,
            )
        if not self._said:
            tell_dashboard(self._cluster, say)
            self._said = True
        return connected(self._cluster, security)

    def check_worker(self, address: str) -> None:
        """They are ours."""

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        cluster, self._cluster = self._cluster, None
        if cluster is None:
            return
        for nanny in list(cluster.workers.values()):
            nanny.auto_restart = False
            with suppress(AttributeError, OSError):
                nanny.process.process._process.kill()
        with suppress(TimeoutError):
            cluster.close(timeout=FAREWELL)
        self._settings.close()


class SchedulerPlace:
    """Workers of a scheduler that somebody else started."""

    wait = 300.0
    own = False

    def __init__(self, address: str, *, insecure: bool) -> None:
        self._address = address if "://" in address else f"tcp://{address}"
        self._insecure = insecure
        self._said = False

    def foresee(self, device: str) -> None:
        """Refuse a scheduler beyond this machine that everybody may speak to."""
        self._check_open(self._address)

    def most(self) -> int:
        """Only the scheduler knows."""
        return 0

    def connect(self, run: Path | None, say: Say) -> Any:
        """Speak to the scheduler; certificates are those of Dask's own settings."""
        from distributed.security import Security

        be_silent()
        self._knock()
        client = connected(self._address, Security())
        if not self._said:
            if self._insecure and not self._address.startswith("tls://"):
                say(INSECURE)
            if link := client.dashboard_link:
                say(f"Dashboard of Dask: {link}")
            self._said = True
        return client

    def check_worker(self, address: str) -> None:
        """Refuse workers beyond this machine that are spoken to without certificates."""
        self._check_open(address)

    def close(self) -> None:
        """It is not ours to end."""

    def _knock(self) -> None:
        """Refuse at once where nobody listens; a client would try again and again."""
        parts = urlsplit(self._address)
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 8786), _KNOCK):
                pass
        except (OSError, ValueError) as error:
            raise _nobody(self._address, error) from error

    def _check_open(self, address: str) -> None:
        if self._insecure or address.startswith("tls://") or is_here(address):
            return
        raise PreflightError(
            f"{address} is not of this machine alone and asks for no certificates: whoever reaches "
            "it runs any program in your name. Start scheduler and workers with certificates "
            "(tls://), or take the risk with --insecure-cluster."
        )


def connected(at: Any, security: Any) -> Any:
    """A client that is connected.

    Raises:
        PreflightError: Nobody answers within seconds.
    """
    from distributed import Client

    address = at if isinstance(at, str) else at.scheduler_address
    try:
        return Client(at, security=security, timeout=_GREETING, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise _nobody(address, error) from error


def _nobody(address: str, error: Exception) -> PreflightError:
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return PreflightError(
        f"No scheduler of Dask answers at {address} ({cause}). Start one there with `dask "
        "scheduler`, and check the address and, for tls://, the certificates."
    )


def tell_dashboard(cluster: Any, say: Say) -> None:
    """Say where the dashboard is; without bokeh there is none."""
    server = cluster.scheduler.http_server
    if importlib.util.find_spec("bokeh") is not None:
        say(f"Dashboard of Dask: http://{HERE}:{server.port}/status")


def be_silent() -> None:
    """What goes wrong is said by this engine, in its own words."""
    names = ("distributed", "tornado", "asyncio", "bokeh")
    below = [n for n in logging.root.manager.loggerDict if n.split(".")[0] in names]
    for name in (*names, *below):
        logging.getLogger(name).setLevel(logging.CRITICAL)
