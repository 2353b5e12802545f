"""Works on one shard of a run: its sites in the per-site steps that all shards do now."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise import __version__
from cellwise.domain.records import file_of
from cellwise.errors import PreflightError, RunLocked
from cellwise.flow.engines import Engine, engines
from cellwise.flow.pipeline.checks import check_request
from cellwise.flow.pipeline.events import LOG, EventLog, Listener, Logged
from cellwise.flow.pipeline.inputs import site_keys
from cellwise.flow.pipeline.lock import Waiting, holder_of, locked, this_process
from cellwise.flow.pipeline.progress import Told
from cellwise.flow.pipeline.reasons import not_passed_over
from cellwise.flow.pipeline.record import now
from cellwise.flow.pipeline.run import engine_of, run_held
from cellwise.flow.pipeline.shards.courses import Opening
from cellwise.flow.pipeline.shards.part import RECORD, Part
from cellwise.flow.pipeline.shards.plan import Plan, differences, facts_of, read_plan
from cellwise.flow.pipeline.shards.taken_in import as_line
from cellwise.flow.pipeline.site_step import run_share
from cellwise.flow.pipeline.state import Request, State, log_name
from cellwise.flow.pipeline.stop import ending_of
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder

# Reading the headers of 100,000 fields on a slow disk takes the better part of it.
_PATIENCE = 3600.0
_WHAT = "open the run for its shards"
# What a batch system says of a job.
_JOB = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "PBS_JOBID", "LSB_JOBID")


@dataclass(frozen=True, slots=True)
class ShardOutcome:
    """How a shard ended.

    Args:
        part: The shard.
        steps: Titles of the steps that it did; none where nothing is left for shards.
        sites: How many it has.
        set_aside: How many of them these steps have set aside.
        seconds: How long it took.
    """

    part: Part
    steps: tuple[str, ...]
    sites: int
    set_aside: int
    seconds: float

    @property
    def exit_code(self) -> int:
        """3 where sites are set aside, else 0."""
        return 3 if self.set_aside else 0


def work_on_shard(
    ask: Callable[[], Request], out: Path, part: Part, listener: Listener
) -> ShardOutcome:
    """Do what is left of a shard; the first of all shards opens the run for them.

    Args:
        ask: Makes the request; called when nobody opens the run.
        out: The run folder.
        part: The shard.
        listener: Told of every event.

    Raises:
        PreflightError: The shards of this run were begun otherwise: in another number, with other
            settings, by another version of cellwise, or with other images.
        RunLocked: The shard, or the whole run, is worked on by another process, or the run is
            being opened for longer than an hour.
    """
    run = RunFolder(out)
    waiting = Waiting(_WHAT, _PATIENCE, listener.message)
    request: Request | None = None
    with ExitStack() as held:
        if read_plan(run) is None:
            with locked(out, waiting):
                if read_plan(run) is None:
                    request = ask()
                    earlier, engine = check_request(request), engine_of(request)
                    run_held(request, listener, Opening(part.of), earlier, engine)
        plan = read_plan(run)
        if plan is None:
            return ShardOutcome(part, (), 0, 0, 0.0)
        request = request or ask()
        earlier = check_request(request)
        _refuse_other(plan, request, part, earlier)
        with locked(out, waiting):
            if read_plan(run) != plan:
                raise RunLocked(
                    f"What the shards of {out} had done was merged meanwhile. Give the same "
                    "command again."
                )
            held.enter_context(_held(run, part))
        return _worked(request, plan, part, listener, earlier)


def _refuse_other(plan: Plan, request: Request, part: Part, earlier: dict[str, Any]) -> None:
    if part.of != plan.of:
        raise PreflightError(
            f"{request.out} is worked on in {plan.of} shards, and --shard {part} names one of "
            f"{part.of}. Give 1/{plan.of} to {plan.of}/{plan.of}; for another number take in what "
            "was done with --merge first."
        )
    other = differences(plan.facts, facts_of(request, earlier))
    if other:
        raise PreflightError(
            f"The shards of {request.out} were begun otherwise ({'; '.join(other)}). Give the "
            "same settings. To go on with these, take in what was done with --merge, and give all "
            "shards again."
        )


def _held(run: RunFolder, part: Part) -> ExitStack:
    """The shard's own lock, which its process keeps."""
    stack, folder = ExitStack(), part.folder(run)
    try:
        stack.enter_context(locked(folder))
    except RunLocked as error:
        raise RunLocked(
            f"Shard {part} of {run.path} is being worked on by {holder_of(folder)}. Wait for it."
        ) from error
    return stack


def _worked(
    request: Request, plan: Plan, part: Part, listener: Listener, earlier: dict[str, Any]
) -> ShardOutcome:
    """Do the steps of a plan; however they end, the shard's record says so."""
    run, folder = RunFolder(request.out), part.folder(RunFolder(request.out))
    engine: Engine = engines.build({"name": "local", "workers": request.workers})
    told = Logged(Told(listener, folder), EventLog(folder / LOG))
    state = State(
        request, told, run, engine, listing=plan.listing, earlier=earlier,
        contents=plan.contents, folders=plan.folders, own=folder,
    )  # fmt: skip
    mine = part.takes(state.sites()["site_id"])
    _refuse_changed(state, set(mine))
    record: dict[str, Any] = {
        "shard": str(part),
        "status": "running",
        **this_process(),
        "job": {name: os.environ[name] for name in _JOB if name in os.environ},
        "cellwise": __version__,
        "command": list(request.command),
        "started": now(),
        "sites": len(mine),
        "steps": [],
    }
    started = time.monotonic()
    status = "failed"
    with engine:
        write_text(folder / RECORD, as_line(record))
        try:
            with ending_of(request.out) as ending:
                _steps(state, plan, mine, record)
            status = ending.status
        except BaseException as error:
            status = ending.status
            record["error"] = str(error)
            raise
        finally:
            engine.stop()
            state.listener.ended(status)
            seconds = round(time.monotonic() - started, 3)
            record |= {"status": status, "finished": now(), "seconds": seconds}
            _close(folder, record)
    return ShardOutcome(part, plan.steps, len(mine), _set_aside(state, plan, mine), seconds)


def _steps(state: State, plan: Plan, mine: list[str], record: dict[str, Any]) -> None:
    chosen = set(mine)
    for step in not_passed_over(state):
        if step.spec.grain != "site":
            continue
        if step.title in plan.steps:
            record["steps"].append(run_share(step, state=state, mine=chosen))
            write_text(state.own / RECORD if state.own else Path(RECORD), as_line(record))
        else:
            # What later keys of sites are made of.
            state.site_keys[log_name(step)] = site_keys(step, state=state)
        if step.title == plan.steps[-1]:
            return


def _close(folder: Path, record: dict[str, Any]) -> None:
    """Write the last words; a full disk must not hide the error that led here."""
    try:
        write_text(folder / RECORD, as_line(record))
    except OSError:
        if record["status"] == "done":
            raise


def _set_aside(state: State, plan: Plan, mine: Iterable[str]) -> int:
    """How many sites of this shard a step has set aside."""
    steps = [step for step in state.request.recipe.steps if step.title in plan.steps]
    aside: set[str] = set()
    for step in steps:
        aside |= set(state.log(log_name(step)).aside)
    return len(aside & set(mine))


def _refuse_changed(state: State, mine: set[str]) -> None:
    """Refuse images of this shard that are others than those that were read.

    An image that is gone, or that is a folder, is left to the steps.

    Raises:
        PreflightError: Names the first.
    """
    rows = state.sites().select("site_id", "paths", "size", "mtime_ns").iter_rows()
    for site, paths, size, time_of_change in rows:
        if site not in mine:
            continue
        files = [state.request.folder / file_of(path) for path in paths or ()]
        if not files or not all(path.is_file() for path in files):
            continue
        facts = [path.stat() for path in files]
        sizes, times = sum(f.st_size for f in facts), max(f.st_mtime_ns for f in facts)
        if (sizes, times) != (size, time_of_change):
            raise PreflightError(
                f"{files[0]} changed since the shards of {state.request.out} were begun. Take in "
                "what was done with --merge, and give all shards again."
            )
