"""Workers that are jobs of a batch system: as many as there is work for."""

import logging
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellwise.errors import PreflightError
from cellwise.flow.engines.dask.certificates import made_security, security_of
from cellwise.flow.engines.dask.cluster_file import ClusterFile
from cellwise.flow.engines.dask.places import (
    FAREWELL,
    HERE,
    INSECURE,
    SETTINGS,
    Say,
    be_silent,
    connected,
    tell_dashboard,
)
from cellwise.flow.engines.local import undisturbed

# Seconds between two looks at how many jobs are of use, and after which an idle one is given back.
_LOOK, _IDLE = 5, 120


class QueuePlace:
    """Jobs of a batch system, as many as there is work for, under a scheduler of this process."""

    own = False

    def __init__(self, file: ClusterFile, *, insecure: bool) -> None:
        self._file, self._insecure = file, insecure
        self.wait = file.wait
        self._cluster: Any = None
        self._folder: Path | None = None

    def foresee(self, device: str) -> None:
        """Refuse where no job can be handed in, or jobs have no GPU for work that uses one."""
        self._file.check_here()
        if device != "cpu" and not self._file.gpu:
            raise PreflightError(
                f"The device is {device}, and the jobs of --cluster have no GPU. Give --device cpu "
                "or, in the file, 'gpu: true'."
            )

    def most(self) -> int:
        """The workers of all jobs that there may be."""
        return self._file.maximum * self._file.per_job

    def connect(self, run: Path | None, say: Say) -> Any:
        """Start a scheduler, hand a first job in, and more as there is work."""
        import dask
        import dask_jobqueue

        be_silent()
        kinds = {
            "slurm": dask_jobqueue.SLURMCluster,
            "pbs": dask_jobqueue.PBSCluster,
            "sge": dask_jobqueue.SGECluster,
            "lsf": dask_jobqueue.LSFCluster,
        }
        home = (run or Path.cwd()).absolute() / "work"
        security = None if self._insecure else self._security(home)
        scheduler: dict[str, Any] = {"dashboard_address": f"{HERE}:0"}
        if self._file.host:
            scheduler["host"] = self._file.host
        options = self._file.job_options(home / "workers")
        try:
            with dask.config.set(SETTINGS), undisturbed():
                self._cluster = kinds[self._file.kind](
                    **options,
                    security=security,
                    protocol="tcp://" if self._insecure else "tls://",
                    scheduler_options=scheduler,
                    silence_logs=logging.CRITICAL,
                )
                self._hand_in(max(1, self._file.minimum))
        except (RuntimeError, ValueError, OSError) as error:
            self.close()
            raise PreflightError(
                f"No job could be submitted to {self._file.kind}: {_reason(error)}"
            ) from error
        self._cluster.adapt(
            minimum_jobs=self._file.minimum,
            maximum_jobs=self._file.maximum,
            interval=f"{_LOOK}s",
            wait_count=_IDLE // _LOOK,
        )
        if self._insecure:
            say(INSECURE)
        tell_dashboard(self._cluster, say)
        return connected(self._cluster, security)

    def check_worker(self, address: str) -> None:
        """They are ours."""

    def close(self) -> None:
        """Take all jobs back."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            _forget_refused(cluster)
            with suppress(TimeoutError):
                cluster.close(timeout=FAREWELL)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _hand_in(self, jobs: int) -> None:
        """Hand jobs in and wait until the batch system has taken or refused them."""
        cluster = self._cluster

        async def handed_in() -> None:
            cluster.scale(jobs=jobs)
            await cluster._correct_state()

        cluster.sync(handed_in, callback_timeout=60.0)

    def _security(self, home: Path) -> Any:
        if self._file.tls is not None:
            tls = self._file.tls
            return security_of(str(tls.ca), str(tls.certificate), str(tls.key))
        # Swept away with other leftovers where this process is killed.
        self._folder = home / f".{uuid.uuid4().hex}.partial"
        return made_security(self._folder)


def _forget_refused(cluster: Any) -> None:
    """Jobs that were never handed in count as failed: a cluster ends when none is left open."""
    from distributed.core import Status

    for job in cluster._created:
        if job.status is Status.created:
            job.status = Status.failed


def _reason(error: Exception) -> str:
    """What the command of the batch system complained of, in one line."""
    said = str(error)
    complaint = said.partition("stderr:\n")[2].strip() or said
    return "; ".join(line.strip() for line in complaint.splitlines() if line.strip())
