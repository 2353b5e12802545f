"""Models of a train step that several hosts learn."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellwise.domain.steps import Job, Report
from cellwise.learning.hosts import Sharing, Training, share_out
from cellwise.stages.train._bundle import is_done
from cellwise.stages.train._model import train_beside
from cellwise.store.hosts import HostFiles
from cellwise.store.run.folder import RunFolder

Model = tuple[int | None, str]


def on_hosts(job: Job, options: Any, wanted: Sequence[Model], report: Report) -> dict[str, int]:
    """Learn the models that are not there yet; returns how many hosts did, and were lost.

    Args:
        job: Of the step, with the hosts that there may be.
        options: Of the step.
        wanted: All its models, by the fold that is left out and the part that is learned.
        report: Told how far they are together.

    Raises:
        CellwiseError: What one of the trainings raised on purpose.
        Interrupted: One of them ended without a word.
    """
    run = RunFolder(job.run)
    left = [one for one in wanted if not is_done(run.model(job.name, *one), job.key)]
    if not left:
        return {}
    words = {
        name: str(value.absolute()) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(job).items()
    }

    def training(fold: int | None, part: str) -> Training:
        return Training(
            train_beside,
            (job, options, fold, part),
            {"kind": "train", "job": words, "fold": fold, "part": part},
            lambda: is_done(run.model(job.name, fold, part), job.key),
        )

    done = [0.0] * len(left)

    def told(number: int, steps: int, total: int, note: str) -> None:
        done[number] = max(done[number], steps / max(total, 1))
        finished = len(wanted) - len(left) + sum(done)
        which = f"model {number + 1} of {len(left)}, " if steps else ""
        report(round(finished * total), len(wanted) * total, f"{which}{note}")

    sharing = Sharing(HostFiles(job.run), job.nodes, job.devices, job.network, told)
    return share_out([training(*one) for one in left], sharing)
