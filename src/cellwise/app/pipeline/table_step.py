"""Runs a table step unless its result for the same key is already there."""

import time
from pathlib import Path
from typing import Any

from cellwise.app.pipeline.done import TABLE, Done
from cellwise.app.pipeline.inputs import table_key
from cellwise.app.pipeline.state import State, log_name, table_module
from cellwise.app.recipe.resolve import Step


def run_table_step(step: Step, *, state: State, why: str) -> dict[str, Any]:
    """Do a table step if needed and return its facts for `run.json`."""
    started = time.monotonic()
    key = table_key(step, state=state)
    log = state.log(log_name(step))
    record = log.latest.get(TABLE)
    if record is not None and record.key == key and outputs_exist(step, state=state):
        state.listener.step_reused(step.name, counts=record.counts)
        return _facts(step, key=key, seconds=0.0, counts=record.counts, state="reused")
    state.listener.step_started(step.name, total=0, unit="", why=why)

    def report(done: int, total: int, note: str) -> None:
        state.listener.step_advanced(done, total=total, note=note)

    counts = table_module(step.kind).work(state.job(step, key), report)
    log.append([Done(TABLE, key, counts)])
    seconds = time.monotonic() - started
    state.listener.step_finished(step.name, seconds=seconds, counts=counts)
    return _facts(step, key=key, seconds=seconds, counts=counts, state="done")


def outputs_exist(step: Step, *, state: State) -> bool:
    """Whether the files that the step promises are there."""
    run = state.run
    files: dict[str, list[Path]] = {
        "read": [run.sites, run.reading],
        "split": [run.folds],
        "label": [run.labels(step.name)],
        "score": [run.scores(step.name)],
        "evaluate": [run.metrics],
        "report": [run.report],
    }
    if step.kind == "train":
        return any((run.path / "models" / step.name).glob("*/model.json"))
    if step.kind == "decide":
        main = run.predictions if step.name == "decide" else _named_predictions(run.path, step.name)
        return main.is_file()
    return all(path.is_file() for path in files[step.kind])


def _named_predictions(run: Path, name: str) -> Path:
    return run / f"predictions_{name}.parquet"


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
