"""Runs a recipe on a folder: checks, lock, steps in order, record. The same call resumes."""

import errno
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellwise.domain.nouns import CELLS, EMBEDDINGS
from cellwise.domain.plain_words import counted
from cellwise.errors import CellwiseError, Interrupted, StorageError
from cellwise.flow.engines import Engine, Needs, engines
from cellwise.flow.far_cells import far_cells
from cellwise.flow.likeness import unlike_words
from cellwise.flow.pipeline.checks import check_request
from cellwise.flow.pipeline.contents import content_path
from cellwise.flow.pipeline.events import EventLog, Listener, Silent
from cellwise.flow.pipeline.files.identity import learn, recognise, remember
from cellwise.flow.pipeline.files.listed import list_files
from cellwise.flow.pipeline.leftovers import sweep
from cellwise.flow.pipeline.lock import locked
from cellwise.flow.pipeline.progress import Told
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
from cellwise.flow.pipeline.state import Request, State
from cellwise.flow.pipeline.stop import Stopped, stop_was_asked
from cellwise.flow.pipeline.table_step import run_table_step
from cellwise.flow.plan import refuse_stale_results, what_is_redone
from cellwise.flow.preflight import check_before_work
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import named_steps
from cellwise.flow.recipe.resolve import Step
from cellwise.parts.devices import gpu_fault
from cellwise.registry import split_spec
from cellwise.store.run.folder import RunFolder

_NOTES = 6
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
    name, options = split_spec(request.engine)
    engine: Engine = engines.build({"workers": request.workers, **options, "name": name})
    with locked(request.out), engine:
        if earlier.get("status") != "done":
            sweep(request.out)
        told = Told(listener or Silent(), run.temporary)
        engine.make_ready(_needs(request), told.message)
        state = State(request, told, run, engine, earlier=earlier)
        recognise(state, request.listing or list_files(request.folder))
        record = opening_record(request, state.listing, earlier)
        refuse_stale_results(state)
        for sentence in what_is_redone(state):
            state.listener.message(sentence)
        write_record(run, record)
        _recorded(state, record)
    rows = record["counts"]["quarantined"]
    return Outcome(request.out, 3 if rows else 0, record["counts"], float(record["seconds"]))


def _needs(request: Request) -> Needs:
    """What workers have to see, wherever they are."""
    read = [request.folder, *([request.fitted] if request.fitted else [])]
    steps = [step for step in request.recipe.steps if step.spec.grain == "site"]
    named = (content_path(content, step) for step in steps for content in step.spec.contents)
    # A file is seen where its folder is.
    places = [
        path if path.is_dir() else path.parent
        for path in named
        if path is not None and path.exists()
    ]
    return Needs(request.out, tuple(dict.fromkeys([*read, *places])), request.device)


def _recorded(state: State, record: dict[str, Any]) -> None:
    """Do the steps; however they end, the record says so."""
    log = EventLog(state.run.path / "log.jsonl")
    started = time.monotonic()
    status = "failed"
    try:
        log.write(event="started", time=now(), recipe=state.request.recipe.digest)
        remember(state)
        _steps(state, record, log)
        status = "done"
    except (KeyboardInterrupt, Stopped, SystemExit) as error:
        # Lightning turns an interrupt into an exit of its own.
        status = "interrupted"
        raise Interrupted("Interrupted. The same command goes on from here.") from error
    except (StorageError, Interrupted):
        status = "interrupted"
        raise
    except Exception as error:
        if stop_was_asked():
            status = "interrupted"
            raise Interrupted("Interrupted. The same command goes on from here.") from error
        if fault := gpu_fault(error):
            status = "interrupted"
            raise Interrupted(
                f"This machine {fault}. See to that (`nvidia-smi`) and give the same command again."
            ) from error
        if not isinstance(error, OSError) or error.errno not in _OUTSIDE:
            raise
        status = "interrupted"
        raise StorageError(
            error.errno,
            f"{error.filename or state.request.out}: {error.strerror}. See to that and give the "
            "same command again.",
        ) from error
    finally:
        state.engine.stop()
        state.listener.ended(status)
        _close(state, record, status=status, started=started, log=log)


def _steps(state: State, record: dict[str, Any], log: EventLog) -> None:
    before = earlier_options(state.earlier)
    known = False
    for step in _not_passed_over(state):
        if step.spec.grain != "site":
            # A training needs the memory and the cores.
            state.engine.stop()
        options = "; ".join(changed_options(before.get(f"{step.kind}-{step.name}"), step.options))
        facts = _one_step(step, state, options)
        state.facts.append(facts)
        record["steps"] = state.facts
        log.write(event="step", time=now(), **facts)
        write_quarantine(state.run, quarantine_rows(state))
        write_record(state.run, {**record, "counts": _counts(state)})
        if state.request.fitted is not None and {CELLS, EMBEDDINGS} & set(step.spec.writes):
            _compare(step, state, record)
        if not known and state.run.sites.is_file():
            known = True
            if facts["state"] == "done":
                _tell_notes(state)
            check_before_work(state)
            learn(state)
            _check_sites(state)
    # Now it is known of which images no pixels are noted.
    learn(state)


def _tell_notes(state: State) -> None:
    """Say how the folder was understood, as `check` does: some of it may be meant otherwise."""
    notes = state.reading().get("notes", [])
    for note in notes[:_NOTES]:
        state.listener.message(str(note))
    if len(notes) > _NOTES:
        more = counted(len(notes) - _NOTES, "more notes")
        state.listener.message(f"... and {more} in {state.run.reading}")


def _not_passed_over(state: State) -> Iterator[Step]:
    """The steps that this run does, in order.

    Passed over is what fits something where a finished run is applied, what needs a channel that no
    image shows, and what reads of a step that was itself passed over.
    """
    passed_over: set[tuple[str, str]] = set()
    for listed in state.request.recipe.steps:
        if state.request.fitted is not None and listed.spec.fits:
            continue
        roles = _lacking_roles(listed, state)
        step, gone = _without(listed, passed_over)
        if roles or gone:
            passed_over |= {(noun.name, listed.name) for noun in listed.spec.writes}
            why = f"no channel shows {', '.join(roles)}" if roles else f"it reads of {gone}"
            state.listener.message(f"{listed.title}: passed over, {why}")
            continue
        yield step


def _lacking_roles(step: Step, state: State) -> list[str]:
    """The roles that a step needs and no channel of this run has."""
    if not step.needs:
        return []
    roles = {channel["role"] for channel in state.reading()["channels"]}
    return [role for role in step.needs if role not in roles]


def _without(step: Step, passed_over: set[tuple[str, str]]) -> tuple[Step, str]:
    """The step without optional reads of steps that were passed over, and what it cannot miss."""
    for read in step.spec.reads:
        for option, name in named_steps(step, read):
            if (read.noun.root, name) not in passed_over:
                continue
            if not read.optional:
                return step, name
            value = step.options[option]
            rest: Any = [n for n in value if n != name] if isinstance(value, list) else ""
            step = replace(step, options={**step.options, option: rest})
    return step, ""


def _compare(step: Step, state: State, record: dict[str, Any]) -> None:
    """Say how these images differ from those that were learned from; the report says it too."""
    assert state.request.fitted is not None
    fitted, words = RunFolder(state.request.fitted), []
    if CELLS in step.spec.writes:
        words = unlike_words(fitted, state.run)
    elif EMBEDDINGS in step.spec.writes:
        far = far_cells(fitted, state.run, step.name)
        if far is not None:
            record.setdefault("far_cells", {})[step.name] = far.facts
            words = [far.words] if far.words else []
    record["unlike"] = [*record.get("unlike", []), *words]
    write_record(state.run, {**record, "counts": _counts(state)})
    for sentence in words:
        state.listener.message(sentence)


def _check_sites(state: State) -> None:
    """Refuse to segment a whole folder for steps that then have nothing to work on."""
    for step in state.request.recipe.steps:
        check = getattr(step_module(step.kind), "check_sites", None)
        if check is not None and not (state.request.fitted and step.spec.fits):
            check(state.request.job(step, ""))


def _one_step(step: Step, state: State, options: str) -> dict[str, Any]:
    if step.spec.grain == "site":
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
    headline = {step.title: step.spec.headline for step in state.request.recipe.steps}
    merged: dict[str, Any] = {}
    for facts in state.facts:
        kind, name = facts["kind"], facts["name"]
        title = kind if kind == name else f"{kind} {name}"
        merged.update({word: facts["counts"].get(word, 0) for word in headline[title]})
    merged["quarantined"] = len(quarantine_rows(state))
    return merged
