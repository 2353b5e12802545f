"""Runs a step on whole tables unless its result for the same key is already there."""

import time
from typing import Any

from cellwise.flow.pipeline.done import TABLE, Done
from cellwise.flow.pipeline.inputs import table_key
from cellwise.flow.pipeline.outputs import outputs_there, step_facts
from cellwise.flow.pipeline.reasons import why_table
from cellwise.flow.pipeline.state import State, log_name
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.resolve import Step


def is_current(step: Step, *, state: State) -> bool:
    """Whether the result of a table step for the current key is there."""
    record = state.log(log_name(step)).latest.get(TABLE)
    if record is None or record.key != table_key(step, state=state):
        return False
    return outputs_there(step, state=state, counts=record.counts)


def run_table_step(step: Step, *, state: State, options: str) -> dict[str, Any]:
    """Do a table step if needed and return its facts for `run.json`."""
    started = time.monotonic()
    key = table_key(step, state=state)
    log = state.log(log_name(step))
    record = log.latest.get(TABLE)
    whole = record is not None and outputs_there(step, state=state, counts=record.counts)
    if record is not None and record.key == key and whole:
        state.listener.step_reused(step.title, counts=record.counts)
        return step_facts(step, key=key, seconds=0.0, counts=record.counts, state="reused")
    why = why_table(record, key, options=options)
    state.listener.step_started(step.title, total=0, unit="", why=why)
    log.void({TABLE: key})

    def report(done: int, total: int, note: str) -> None:
        state.listener.step_advanced(done, total=total, note=note)

    module = step_module(step.kind)
    job = state.request.job(step, key)
    # What planning found already is not looked for again.
    prepared = state.request.prepared.get(step.title)
    counts = module.work(job, report, *([] if prepared is None else [prepared]))
    log.append([Done(TABLE, key, counts)])
    seconds = time.monotonic() - started
    state.listener.step_finished(step.title, seconds=seconds, counts=counts)
    return step_facts(step, key=key, seconds=seconds, counts=counts, state="done")
