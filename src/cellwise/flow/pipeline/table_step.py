"""Runs a table step unless its result for the same key is already there."""

import time
from typing import TYPE_CHECKING, Any

from cellwise.flow.pipeline.done import TABLE, Done
from cellwise.flow.pipeline.inputs import table_key
from cellwise.flow.pipeline.reasons import PASSING, why_table
from cellwise.flow.pipeline.state import State, log_name, table_module
from cellwise.flow.recipe.resolve import Step
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.models import WEIGHTS_FILE

if TYPE_CHECKING:
    from pathlib import Path


def run_table_step(step: Step, *, state: State, options: str) -> dict[str, Any]:
    """Do a table step if needed and return its facts for `run.json`."""
    started = time.monotonic()
    key = table_key(step, state=state)
    log = state.log(log_name(step))
    record = log.latest.get(TABLE)
    whole = record is not None and outputs_exist(step, state=state, counts=record.counts)
    if record is not None and record.key == key and whole:
        state.listener.step_reused(step.title, counts=record.counts)
        return _facts(step, key=key, seconds=0.0, counts=record.counts, state="reused")
    why = why_table(record, key, options=options)
    state.listener.step_started(step.title, total=0, unit="", why=why)
    log.void({TABLE: key})

    def report(done: int, total: int, note: str) -> None:
        state.listener.step_advanced(done, total=total, note=note)

    counts = table_module(step.kind).work(state.job(step, key), report)
    log.append([Done(TABLE, key, counts)])
    seconds = time.monotonic() - started
    state.listener.step_finished(step.title, seconds=seconds, counts=counts)
    return _facts(step, key=key, seconds=seconds, counts=counts, state="done")


def outputs_exist(step: Step, *, state: State, counts: dict[str, Any]) -> bool:
    """Whether the files that the step promises are there; `counts` is what it recorded."""
    run = state.run
    if step.kind == "train":
        cards = list((run.path / "models" / step.name).glob("*/model.json"))
        whole = [card for card in cards if (card.parent / WEIGHTS_FILE).is_file()]
        return len(whole) >= int(counts.get("models", 1))
    if step.kind == "decide":
        name = "predictions" if step.name == "decide" else f"predictions_{step.name}"
        decided = [] if state.request.fitted else [run.decision(step.name)]
        return all(p.is_file() for p in (run.path / f"{name}.parquet", *decided))
    if step.kind == "read" and _unsettled(run):
        return False
    files: dict[str, list[Path]] = {
        "read": [run.sites, run.reading],
        "split": [run.folds],
        "label": [run.labels(step.name)],
        "score": [run.scores(step.name)],
        "evaluate": [run.metrics, run.path / "evaluation.json"],
        "report": [run.report],
    }
    return all(path.is_file() for path in files[step.kind])


def _unsettled(run: RunFolder) -> bool:
    """Whether reading met what may have passed without a trace, such as a missing permission."""
    if not run.reading.is_file():
        return True
    problems = read_json(run.reading).get("problems", [])
    return any(problem.get("code") in PASSING for problem in problems)


def _facts(
    step: Step, *, key: str, seconds: float, counts: dict[str, Any], state: str
) -> dict[str, Any]:
    return {
        "name": step.name,
        "kind": step.kind,
        "key": key,
        "seconds": round(seconds, 3),
        "counts": counts,
        "state": state,
    }
