"""Runs a recipe on a folder: checks, lock, steps in order, record. The same call resumes."""

import errno
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.errors import CellwiseError, Interrupted, PreflightError, StorageError
from cellwise.flow.engines.local import Workers
from cellwise.flow.pipeline.events import EventLog, Listener, Silent
from cellwise.flow.pipeline.keys import listing_digest
from cellwise.flow.pipeline.leftovers import sweep
from cellwise.flow.pipeline.lock import locked
from cellwise.flow.pipeline.preflight import check_request, require_masks
from cellwise.flow.pipeline.record import (
    changed_options,
    earlier_options,
    now,
    opening_record,
    quarantine_rows,
    write_quarantine,
    write_record,
)
from cellwise.flow.pipeline.site_step import run_site_step
from cellwise.flow.pipeline.state import Request, State, step_module
from cellwise.flow.pipeline.stop import Stopped, stop_was_asked
from cellwise.flow.pipeline.table_step import run_table_step
from cellwise.flow.recipe.resolve import Step
from cellwise.store.run.folder import RunFolder, read_json

FITTING = ("split", "label", "train")
# What the machine is to blame for: a full, failing, vanished or read-only disk, too few handles.
_OUTSIDE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOTCONN),
}


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
        BadOption: A setting cannot take its value; nothing was started.
        RunLocked: Another process works in the run folder.
        StorageError: The disk is full or read-only; the same call resumes.
        Interrupted: Stopped by the user; the same call resumes.
    """
    earlier = check_request(request)
    run = RunFolder(request.out)
    with locked(request.out), Workers(request.workers) as workers:
        if earlier.get("status") != "done":
            sweep(request.out)
        listing = listing_digest(request.folder)
        before = earlier_options(earlier)
        state = State(request, listener or Silent(), run, workers, listing, before=before)
        record = opening_record(request, listing)
        write_record(run, record)
        _recorded(state, record)
    rows = record["counts"]["quarantined"]
    return Outcome(request.out, 3 if rows else 0, record["counts"], float(record["seconds"]))


def _recorded(state: State, record: dict[str, Any]) -> None:
    """Do the steps; however they end, the record says so."""
    log = EventLog(state.run.path / "log.jsonl")
    started = time.monotonic()
    status = "failed"
    try:
        log.write(event="started", time=now(), recipe=state.request.recipe.digest)
        _steps(state, record, log)
        status = "done"
    except (KeyboardInterrupt, Stopped, SystemExit) as error:
        # Lightning turns an interrupt into an exit of its own.
        status = "interrupted"
        raise Interrupted("Interrupted. The same command goes on from here.") from error
    except StorageError:
        status = "interrupted"
        raise
    except Exception as error:
        if stop_was_asked():
            status = "interrupted"
            raise Interrupted("Interrupted. The same command goes on from here.") from error
        if not isinstance(error, OSError) or error.errno not in _OUTSIDE:
            raise
        status = "interrupted"
        raise StorageError(
            error.errno,
            f"{error.filename or state.request.out}: {error.strerror}. See to that and give the "
            "same command again.",
        ) from error
    finally:
        state.workers.stop()
        state.listener.ended(status)
        _close(state, record, status=status, started=started, log=log)


def _steps(state: State, record: dict[str, Any], log: EventLog) -> None:
    passed_over: set[str] = set()
    for listed in state.request.recipe.steps:
        if state.request.fitted is not None and listed.kind in FITTING:
            continue
        lacking = _lacking_roles(listed, state)
        if lacking:
            passed_over.add(listed.name)
            state.listener.message(
                f"{listed.title}: passed over, no channel shows {', '.join(lacking)}"
            )
            continue
        step = _without_control(listed, passed_over)
        if step_module(step.kind).UNIT != "site":
            # A training needs the memory and the cores.
            state.workers.stop()
        facts = _one_step(step, state)
        state.facts.append(facts)
        record["steps"] = state.facts
        log.write(event="step", time=now(), **facts)
        if step.kind == "read" or step.kind == "cells":
            write_quarantine(state.run, quarantine_rows(state))
        write_record(state.run, {**record, "counts": _counts(state)})
        if step.kind == "read":
            _require_labels(state)
            require_masks(state)


def _require_labels(state: State) -> None:
    """Refuse to segment a whole folder for a recipe that then has nothing to learn from.

    Raises:
        PreflightError: The recipe learns, and no usable field has a label.
    """
    if state.request.fitted is not None or not state.request.recipe.of_kind("train"):
        return
    sites = state.sites()
    if sites.filter(pl.col("labels").is_not_null()).is_empty():
        said = read_json(state.run.reading).get("labels_file") or "no labels were given"
        raise PreflightError(
            f"The recipe {state.request.recipe.name} learns from labels, and none of the "
            f"{sites['site_id'].n_unique()} usable fields has one ({said}). Give --labels, mend "
            "its key or label column, or take --recipe segment-only."
        )


def _lacking_roles(step: Step, state: State) -> list[str]:
    """The roles that a step needs and no channel of this run has."""
    if not step.needs:
        return []
    roles = {channel["role"] for channel in read_json(state.run.reading)["channels"]}
    return [role for role in step.needs if role not in roles]


def _without_control(step: Step, passed_over: set[str]) -> Step:
    """The step without a negative control that could not be made."""
    if step.options.get("negative_control") not in passed_over:
        return step
    return replace(step, options={**step.options, "negative_control": ""})


def _one_step(step: Step, state: State) -> dict[str, Any]:
    before = state.before.get(f"{step.kind}-{step.name}")
    options = "; ".join(changed_options(before, step.options))
    if step_module(step.kind).UNIT == "site":
        return run_site_step(step, state=state, options=options)
    return run_table_step(step, state=state, options=options)


def _close(
    state: State, record: dict[str, Any], *, status: str, started: float, log: EventLog
) -> None:
    """Write the last words; a full disk must not hide the error that led here."""
    record["status"] = status
    record["finished"] = now()
    record["seconds"] = round(time.monotonic() - started, 3)
    try:
        record["counts"] = _counts(state)
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
