"""Read: list a folder, understand it, and write `sites.parquet` and `reading.json`."""

import json
from pathlib import Path
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import SITES
from cellwise.errors import CellwiseError, PreflightError
from cellwise.stages.read._reading import Reading
from cellwise.stages.read._understand import understand
from cellwise.stages.read.spec import Options
from cellwise.store.atomic import write_text
from cellwise.store.images.microscope_files import can_read
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

__all__ = ["Reading", "prepare", "understand", "whole", "work"]

# Codes of what may have passed without a trace in the files themselves.
_PASSING = ("not_found", "unreadable", "unreadable_folder", "reader_missing")
_FIRST = 3


def prepare(job: Job, report: Report, *, faults: list[CellwiseError] | None = None) -> Reading:
    """Read `job.images`; nothing is written.

    Args:
        job: Of the step.
        report: Called while headers are read.
        faults: Takes what is wrong but can be read past, instead of its being raised.

    Raises:
        PreflightError: The folder cannot be used.
    """
    inherited: frozenset[str] = frozenset()
    if job.fitted is not None:
        reading = RunFolder(job.fitted).reading
        again = read_json(reading).get("again", {}) if reading.is_file() else {}
        inherited = frozenset(again.get("roles") or {})
    return understand(
        job.images,
        Options.of(job.options),
        workers=job.workers,
        report=report,
        inherited=inherited,
        scales=_kept_scales(job),
        faults=faults,
    )


def work(job: Job, report: Report, prepared: Reading | None = None) -> dict[str, Any]:
    """Write what was understood, by `prepare` if not already by whoever planned; gives the counts.

    Raises:
        PreflightError: No site in the folder can be used.
    """
    prepared = prepared or prepare(job, report)
    run = RunFolder(job.run)
    frame = sites_to_frame(prepared.sites, dict(prepared.headers))
    write_table(run.sites, SITES, frame)
    content = {**prepared.to_json(), "images": str(Path(job.images).absolute())}
    write_text(run.reading, json.dumps(content, indent=1, ensure_ascii=False))
    if not prepared.usable:
        raise PreflightError(_none_usable(prepared))
    return dict(prepared.counts)


def _kept_scales(job: Job) -> dict[str, tuple[str, str]]:
    """The scales of this run and where they come from: fields added later are held to them."""
    reading = RunFolder(job.run).reading
    # Whoever only looks at a folder has no run folder.
    if job.run == Path() or not reading.is_file():
        return {}
    scales = read_json(reading).get("scales", {})
    return {name: (facts["scale"], facts["source"]) for name, facts in scales.items()}


def whole(job: Job, counts: dict[str, Any]) -> bool:
    """Whether reading met nothing that may have passed since: permissions, missing readers."""
    reading = RunFolder(job.run).reading
    if not reading.is_file():
        return False
    content = read_json(reading)
    # A reader that was missing may have been installed since.
    unread = content.get("counts", {}).get("other_files", {})
    problems = content.get("problems", [])
    return not any(problem.get("code") in _PASSING for problem in problems) and not any(
        map(can_read, unread)
    )


def _none_usable(reading: Reading) -> str:
    aside = [problem for problem in reading.problems if problem.set_aside]
    found = [f"{problem.path}: {problem.reason}" for problem in aside[:_FIRST]]
    cures = list(dict.fromkeys(problem.remedy for problem in aside if problem.remedy))
    if not reading.sites:
        cures.append("Where the folder is laid out in another way: --layout auto.")
    return (
        f"None of {counted(len(reading.sites), 'sites')} can be used (layout {reading.layout}). "
        f"{' '.join([*found, *cures[:_FIRST]])}"
    )
