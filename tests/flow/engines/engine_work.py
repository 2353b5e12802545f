"""Work for the engine's tests, in a file that worker processes can import by its plain name."""

import os
import signal
import time
from pathlib import Path

from cellwise.domain.steps import SiteRecord
from cellwise.flow.engines import tell


def note(site_ids, job):
    return [SiteRecord(site, {"pid": os.getpid()}) for site in site_ids]


def die_on_s05(site_ids, job):
    if "s05" in site_ids:
        os.kill(os.getpid(), signal.SIGKILL)
    return note(site_ids, job)


def too_large_on_s05(site_ids, job):
    if "s05" in site_ids:
        raise MemoryError
    return note(site_ids, job)


def fail_on_s05(site_ids, job):
    if "s05" in site_ids:
        raise ZeroDivisionError("a bug")
    return note(site_ids, job)


def linger_but_for_one(site_ids, job):
    if len(site_ids) > 1:
        time.sleep(60)
    return note(site_ids, job)


def say(site_ids, job):
    for site in site_ids:
        tell(site)
    return note(site_ids, job)


def count_at_once(folders, job):
    """How many of these are under way, by the files that they keep while they are."""
    own = Path(folders[0]) / f"{os.getpid()}-{time.monotonic_ns()}"
    own.write_text("")
    time.sleep(0.2)
    found = len(list(Path(folders[0]).iterdir()))
    own.unlink()
    return [SiteRecord("x", {"at_once": found})]


def talk_and_die_once(site_ids, job):
    if "s05" in site_ids and len(site_ids) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    for site in site_ids:
        for number in range(4000 if site == "s05" else 1):
            tell((site, number, "x" * 20))
    return note(site_ids, job)


def say_surroundings(site_ids, job):
    """How this process's threads wait, and of how many polars made use."""
    import polars as pl

    told = (os.environ["OMP_WAIT_POLICY"], os.environ["KMP_BLOCKTIME"])
    passive = told == ("PASSIVE", "0")
    found = {"passive": float(passive), "threads": float(pl.thread_pool_size())}
    return [SiteRecord(site, found) for site in site_ids]


def say_pid_slowly(site_ids, job):
    tell(os.getpid())
    time.sleep(0.3)
    return note(site_ids, job)


def say_many_kinds(site_ids, job):
    tell((site_ids[0], 1, {"a": (1, 2)}))
    tell(Path("x"))
    return note(site_ids, job)


def write_and_say_where(site_ids, job):
    """Through a path that is relative to the coordinator's working folder."""
    return [SiteRecord(site, {"pid": os.getpid()}) for site in site_ids if Path.cwd().is_dir()]


async def offer_gpu(dask_worker):
    """Be a worker with a GPU, as far as anybody asks."""
    from cellwise.flow.engines.dask import lease

    lease._gpu_fault = lambda: ""
    await dask_worker.set_resources(GPU=1)
    return os.getpid()


def lose_the_gpu(site_ids, job):
    raise RuntimeError("CUDA error: no CUDA-capable device is detected\nCUDA kernel errors ...")


def grow_old():
    """Be a worker of another version."""
    from cellwise.flow.engines.dask import lease

    vars(lease)["__version__"] = "0.0.1"
