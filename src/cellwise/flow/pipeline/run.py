"""Runs a recipe on a folder: checks, lock, steps in order, record. The same call resumes."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.domain.nouns import CELLS, EMBEDDINGS
from cellwise.domain.plain_words import counted
from cellwise.errors import CellwiseError
from cellwise.flow.engines import Engine, Needs, engines
from cellwise.flow.far_cells import far_cells
from cellwise.flow.hosts import leading
from cellwise.flow.likeness import unlike_words
from cellwise.flow.pipeline.checks import check_request
from cellwise.flow.pipeline.contents import content_path
from cellwise.flow.pipeline.events import LOG, EventLog, Listener, Logged, Silent
from cellwise.flow.pipeline.files.identity import learn, recognise, remember
from cellwise.flow.pipeline.files.listed import list_files
from cellwise.flow.pipeline.leftovers import sweep
from cellwise.flow.pipeline.lock import locked
from cellwise.flow.pipeline.progress import Told
from cellwise.flow.pipeline.reasons import not_passed_over
from cellwise.flow.pipeline.record import (
    changed_options,
    earlier_options,
    now,
    opening_record,
    quarantine_rows,
    write_quarantine,
    write_record,
)
from cellwise.flow.pipeline.shards.courses import SHARED, Course, Whole
from cellwise.flow.pipeline.shards.taken_in import refuse_running
from cellwise.flow.pipeline.site_step import run_site_step
from cellwise.flow.pipeline.state import Request, State
from cellwise.flow.pipeline.stop import ending_of
from cellwise.flow.pipeline.table_step import run_table_step
from cellwise.flow.plan import refuse_stale_results, what_is_redone
from cellwise.flow.preflight import check_before_work
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.resolve import Step
from cellwise.registry import split_spec
from cellwise.store.run.folder import RunFolder

_NOTES = 6


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its folder, exit code, counts and seconds.

    `waiting` is the title of the step before which it ended, for shards to go on; else empty.
    """

    run: Path
    exit_code: int
    counts: dict[str, Any]
    seconds: float
    waiting: str = ""


def run_pipeline(
    request: Request, listener: Listener | None = None, course: Course | None = None
) -> Outcome:
    """Do all steps of the recipe that are not done yet, or as far as the course goes.

    Raises:
        PreflightError: The folders cannot be used as asked; nothing was started.
        BadOption: A setting cannot take its value; nothing was started.
        RunLocked: Another process works in the run folder.
        StorageError: The disk is full or read-only; the same call resumes.
        Interrupted: Stopped by the user; the same call resumes.
    """
    earlier = check_request(request)
    # An engine that cannot be made leaves no folder.
    engine = engine_of(request)
    with locked(request.out):
        return run_held(request, listener or Silent(), course or Whole(), earlier, engine)


def engine_of(request: Request) -> Engine:
    """The engine that a request names.

    Raises:
        UnknownName: There is none of that name.
        BadOption: Its options cannot be used.
    """
    name, options = split_spec(request.engine)
    engine: Engine = engines.build({"workers": request.workers, **options, "name": name})
    return engine


def run_held(
    request: Request,
    listener: Listener,
    course: Course,
    earlier: dict[str, Any],
    engine: Engine,
) -> Outcome:
    """As `run_pipeline`, for who holds the folder and has checked the request."""
    run = RunFolder(request.out)
    refuse_running(run)
    with engine, leading(request.out, request.nodes):
        if earlier.get("status") != "done":
            sweep(request.out)
        log = EventLog(run.path / LOG)
        told = Logged(Told(listener, run.temporary), log)
        engine.make_ready(_needs(request), told.message)
        state = State(request, told, run, engine, earlier=earlier)
        recognise(state, request.listing or list_files(request.folder))
        shards = course.take_in(state)
        record = opening_record(request, state.listing, earlier)
        if known := [*earlier.get("shards", []), *shards]:
            record["shards"] = known
        refuse_stale_results(state)
        for sentence in what_is_redone(state):
            state.listener.message(sentence)
        write_record(run, record)
        waiting = _recorded(state, record, course)
        course.ended(state)
    rows = record["counts"]["quarantined"]
    seconds = float(record["seconds"])
    return Outcome(request.out, 3 if rows else 0, record["counts"], seconds, waiting)


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


def _recorded(state: State, record: dict[str, Any], course: Course) -> str:
    """Do the steps; however they end, the record says so. Returns the step that is waited for."""
    log = EventLog(state.run.path / LOG)
    started = time.monotonic()
    waiting, status = "", "failed"
    try:
        with ending_of(state.request.out) as ending:
            log.write(event="started", time=now(), recipe=state.request.recipe.digest)
            remember(state)
            waiting = _steps(state, record, log, course)
        status = SHARED if waiting else ending.status
    except BaseException:
        status = ending.status
        raise
    finally:
        state.engine.stop()
        state.listener.ended(status)
        _close(state, record, status=status, started=started, log=log)
    return waiting


def _steps(state: State, record: dict[str, Any], log: EventLog, course: Course) -> str:
    before = earlier_options(state.earlier)
    known = False
    waiting = ""
    for step in not_passed_over(state):
        if course.ends_before(step, state):
            waiting = step.title
            break
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
    return waiting


def _tell_notes(state: State) -> None:
    """Say how the folder was understood, as `check` does: some of it may be meant otherwise."""
    notes = state.reading().get("notes", [])
    for note in notes[:_NOTES]:
        state.listener.message(str(note))
    if len(notes) > _NOTES:
        more = counted(len(notes) - _NOTES, "more notes")
        state.listener.message(f"... and {more} in {state.run.reading}")


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
        if status in ("done", SHARED):
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
