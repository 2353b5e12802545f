"""What a stage's `step.py` is given and what it gives back.

A step module states `VERSION` (raised when its results change), `UNIT` and functions:

* `UNIT = "site"`: `work(site_ids, job) -> list[SiteRecord]` runs in worker processes on a batch of
  at most `BATCH` sites and writes their results; `finish(job, site_ids) -> dict` merges and counts.
* `UNIT = "table"`: `work(job, report) -> dict` does all and returns counts for `run.json`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwise.errors import InputError

# (done, total, note): called by a long table step so that the shell can draw a progress bar.
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One step of one run, small enough to travel to a worker process.

    Args:
        run: The run folder.
        images: The folder that the paths of sites are relative to.
        name: The step's own name (`as:` in the recipe), which also names its output.
        options: The resolved options of the step.
        key: Digest of options, upstream results and `VERSION`; a name for temporary work.
        seed: Root of all randomness of this step.
        device: `cpu` or `cuda`.
        workers: Processes the step may use.
        fitted: The run folder whose models and decisions are applied; None when they are made here.
        devices: Processes, one for each device, that share a training; of no influence on which
            batches are seen, and on the weights by rounding only, or by what a network normalises
            over the batch.
        loaders: Processes that read and augment ahead of a training; 0 for none. Of no influence
            on results.
    """

    run: Path
    images: Path
    name: str
    options: dict[str, Any]
    key: str
    seed: int
    device: str = "cpu"
    workers: int = 1
    fitted: Path | None = None
    devices: int = 1
    loaders: int = 0


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """What one step did with one site: counts, or the reason why the site is set aside."""

    site_id: str
    counts: dict[str, float] = field(default_factory=dict)
    error: InputError | None = None
