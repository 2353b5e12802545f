"""Read: list a folder, understand it, and write `sites.parquet` and `reading.json`."""

import json
from pathlib import Path
from typing import Any, Literal

from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.stages.read._reading import Reading, ReadOptions
from cellwise.stages.read._understand import understand
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

__all__ = ["UNIT", "VERSION", "ReadOptions", "Reading", "build", "understand", "work"]

VERSION = 1
UNIT = "table"

_FIRST = 3


def build(
    layout: str = "auto",
    pattern: str = "",
    labels: str = "",
    key: str = "",
    label: str = "",
    roles: dict[str, str] | None = None,
    classes: str = "auto",
    pixel_size: float = 0.0,
    stack: Literal["max", "mid", "refuse"] = "max",
    declared: Literal["use", "ignore"] = "use",
) -> ReadOptions:
    """Make the options of the step; see `ReadOptions` for what each means.

    Raises:
        BadOption: A role, stack policy or pixel size that does not exist.
    """
    return ReadOptions(
        layout=layout,
        pattern=pattern,
        labels=labels,
        key=key,
        label=label,
        roles=dict(roles or {}),
        classes=classes,
        pixel_size=pixel_size,
        stack=stack,
        declared=declared,
    )


def work(job: Job, report: Report) -> dict[str, Any]:
    """Read `job.images` and write what was understood; gives the counts.

    Raises:
        PreflightError: The folder cannot be used, or no site in it can.
    """
    reading = understand(job.images, build(**job.options), workers=job.workers, report=report)
    run = RunFolder(job.run)
    frame = sites_to_frame(reading.sites, dict(reading.headers))
    write_table(run.sites, SITES, frame)
    content = {**reading.to_json(), "images": str(Path(job.images).absolute())}
    write_text(run.reading, json.dumps(content, indent=1, ensure_ascii=False))
    if not reading.usable:
        raise PreflightError(_none_usable(reading))
    return dict(reading.counts)


def _none_usable(reading: Reading) -> str:
    found = [f"{p.path}: {p.reason}" for p in reading.problems if p.set_aside][:_FIRST]
    return (
        f"None of the {len(reading.sites)} sites can be used (layout {reading.layout}). "
        f"{' '.join(found)}"
    )
