"""The engine `dask`: batches over workers of Dask, on this machine or on many.

Workers are processes of this machine, those of a scheduler that runs already, or jobs of a batch
system. All have to see the run folder and the images under the same paths; this is checked before
they are given anything. Source: Rocklin, "Dask: Parallel Computation with Blocked algorithms and
Task Scheduling", SciPy 2015.
"""

from pathlib import Path

from cellwise.errors import UsageError
from cellwise.flow.engines import Engine


def build(
    workers: int = 1, *, scheduler: str = "", cluster: str = "", insecure: bool = False
) -> Engine:
    """Make the engine; nothing is started yet.

    Args:
        workers: Processes of this machine; without meaning for the other two.
        scheduler: Address of a scheduler that runs already, such as `tls://node1:8786`.
        cluster: File that says which batch system starts workers, see `cluster_file`.
        insecure: Whether a scheduler may listen beyond this machine without certificates.

    Raises:
        UsageError: Dask is not installed, or the options do not go together.
    """
    _check_installed()
    from cellwise.flow.engines.dask.batch_system import QueuePlace
    from cellwise.flow.engines.dask.cluster_file import read_cluster_file
    from cellwise.flow.engines.dask.engine import DaskEngine
    from cellwise.flow.engines.dask.places import LocalPlace, SchedulerPlace

    if scheduler and cluster:
        raise UsageError("--scheduler and --cluster say where workers are; give one of them.")
    if scheduler:
        return DaskEngine(SchedulerPlace(scheduler, insecure=insecure))
    if cluster:
        return DaskEngine(QueuePlace(read_cluster_file(Path(cluster)), insecure=insecure))
    return DaskEngine(LocalPlace(workers))


def _check_installed() -> None:
    try:
        import cryptography
        import dask_jobqueue
        import distributed
    except ImportError as error:
        raise UsageError(
            f"The engine 'dask' needs what is not installed here ({error.name}): "
            "pip install 'cellwise[dask]'"
        ) from error
    del cryptography, dask_jobqueue, distributed
