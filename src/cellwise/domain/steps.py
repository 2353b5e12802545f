"""What a stage's `step.py` is given and gives back; `domain.specs` says how it declares itself.

A step of grain `site` has

* `work(sites, job) -> list[SiteRecord]`: does a batch of sites in a worker process;
* `finish(job, finished) -> dict`: merges the results of all sites and counts;
* `settle(job, batches)`, where shards may go once the merge is on record: `batches` are the keys
  that records name;
* `present(job, finished) -> Collection[str]`, where its results may be gone: whose are still there.

A step of grain `fold` or `table` has

* `work(job, report) -> dict`: does it all and returns counts for `run.json`.

Any step may have

* `whole(job, counts) -> bool`, where its outputs being there does not suffice;
* `prepare(job, report)`: looks at the input without writing anything, for whoever plans a run; what
  it gives is handed to `work` as a third argument;
* `check(options, job)`: refuses before any work what its options name and is not there;
* `forecast(job, trial) -> float`: seconds of one core that it will take, from a few fields that
  were tried out, a `domain.trial.Trial`;
* `measure(options, sides) -> (options, sentence)`, where its spec says that options are `measured`:
  what they become, from the longer sides in pixels of the boxes of some cells;
* `check_sites(job)`: refuses as soon as the sites are known;
* `missing(options) -> list[str]`: what it needs from outside this machine, in words, and
  `fetch(options)`, which brings it before any work;
* `foresee(job, folder) -> Foresight`: what it refuses and warns of once the folder is read, see
  `domain.foresight`; nothing but the folder is there, so that `check` asks it too;
* `key_options(options) -> dict` and `key_parts(options, device) -> list[str]`: what its key takes
  of the options in place of all of them, and beside them.
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
        key: Digest of options, upstream results and `version`; a name for temporary work.
        seed: Root of all randomness of this step.
        device: `cpu` or `cuda`.
        workers: Processes the step may use.
        fitted: The run folder whose models and decisions are applied; None when they are made here.
        devices: Processes, one for each device, that share a training; of no influence on which
            batches are seen, and on the weights by rounding only, or by what a network normalises
            over the batch.
        loaders: Processes that read and augment ahead of a training; 0 for none. Of no influence
            on results.
        nodes: Hosts that share trainings, with this one.
        network: Whether hosts may share one training over the network.
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
    nodes: int = 1
    network: bool = False


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """What one step did with one site: counts, or the reason why the site is set aside."""

    site_id: str
    counts: dict[str, float] = field(default_factory=dict)
    error: InputError | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """What is on record of a site that is done.

    Args:
        shard: The key of its batch.
        counts: What the step counted.
        merged: Whether a table was written since: it may hold the site's rows, a shard need not.
    """

    shard: str
    counts: dict[str, Any] = field(default_factory=dict)
    merged: bool = False
