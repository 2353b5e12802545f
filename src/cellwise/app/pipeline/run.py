"""Runs a recipe on a folder: checks, lock, steps in order, record. The same call resumes."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.app.pipeline.events import EventLog, Listener, Silent
from cellwise.app.pipeline.lock import locked
from cellwise.app.pipeline.record import (
    changed_options,
    earlier_options,
    now,
    opening_record,
    quarantine_rows,
    write_quarantine,
    write_record,
)
from cellwise.app.pipeline.site_step import run_site_step
from cellwise.app.pipeline.state import Request, State, step_module
from cellwise.app.pipeline.table_step import run_table_step
from cellwise.app.recipe.resolve import Step
from cellwise.errors import CellwiseError, Interrupted, PreflightError, StorageError
from cellwise.store.run_folder import RunFolder

FITTING = ("split", "label", "train")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its folder, exit code, counts and seconds."""

    run: Path
    exit_code: int
    counts: dict[str, Any]
    seconds: float


def run_pipeline(request: Request, listener: Listener | None = None) -> Outcome:
    """Do all steps of the recipe that are not done yet.

    Raises:
        PreflightError: The folders cannot be used as asked; nothing was started.
        RunLocked: Another process works in the run folder.
        StorageError: The disk is full or read-only; the same call resumes.
        Interrupted: Stopped by the user; the same call resumes.
    """
    _preflight(request)
    run = RunFolder(request.out)
    with locked(request.out):
        state = State(request, listener or Silent(), run, before=earlier_options(run))
        record = opening_record(request)
        write_record(run, record)
        log = EventLog(run.path / "log.jsonl")
        started = time.monotonic()
        status = "failed"
        try:
            log.write(event="started", time=now(), recipe=request.recipe.digest)
            _steps(state, record, log)
            status = "done"
        except KeyboardInterrupt as error:
            status = "interrupted"
            raise Interrupted("Interrupted. The same command goes on from here.") from error
        except StorageError:
            status = "interrupted"
            raise
        finally:
            _close(state, record, status=status, started=started, log=log)
    rows = record["counts"]["quarantined"]
    return Outcome(request.out, 3 if rows else 0, record["counts"], float(record["seconds"]))


def _preflight(request: Request) -> None:
    if not request.folder.is_dir():
        raise PreflightError(f"There is no folder {request.folder}.")
    out, folder = request.out.resolve(), request.folder.resolve()
    if out == folder or folder in out.parents:
        raise PreflightError(
            f"The run folder {request.out} lies inside the image folder {request.folder}, where "
            "its own pictures would be read as input. Choose an --out beside it."
        )
    if request.out.exists() and not request.out.is_dir():
        raise PreflightError(f"{request.out} is a file, not a folder.")


def _steps(state: State, record: dict[str, Any], log: EventLog) -> None:
    for step in state.request.recipe.steps:
        if state.request.fitted is not None and step.kind in FITTING:
            continue
        facts = _one_step(step, state)
        state.facts.append(facts)
        record["steps"] = state.facts
        log.write(event="step", time=now(), **facts)
        if step.kind == "read" or step.kind == "cells":
            write_quarantine(state.run, quarantine_rows(state))
        write_record(state.run, {**record, "counts": _counts(state)})


def _one_step(step: Step, state: State) -> dict[str, Any]:
    before = state.before.get(f"{step.kind}-{step.name}")
    why = "; ".join(changed_options(before, step.options))
    if step_module(step.kind).UNIT == "site":
        return run_site_step(step, state=state, why=why)
    return run_table_step(step, state=state, why=why)


def _close(
    state: State, record: dict[str, Any], *, status: str, started: float, log: EventLog
) -> None:
    """Write the last words; a full disk must not hide the error that led here."""
    record["status"] = status
    record["finished"] = now()
    record["seconds"] = round(time.monotonic() - started, 3)
    record["counts"] = _counts(state)
    try:
        write_quarantine(state.run, quarantine_rows(state))
        write_record(state.run, record)
        log.write(event=status, time=record["finished"], counts=record["counts"])
    except (OSError, CellwiseError):
        if status == "done":
            raise


def _counts(state: State) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for facts in state.facts:
        if facts["kind"] == "read":
            merged["sites"] = facts["counts"].get("sites", 0)
        if facts["kind"] == "cells":
            merged["cells"] = facts["counts"].get("cells", 0)
    merged["quarantined"] = len(quarantine_rows(state))
    return merged
