"""Runs a per-site step: only the sites whose key has no record yet, then the merge."""

import time
from dataclasses import replace
from typing import Any

from cellwise.domain.steps import Job
from cellwise.flow.pipeline.done import TABLE, Done, from_site
from cellwise.flow.pipeline.inputs import base_key, site_keys
from cellwise.flow.pipeline.keys import combine
from cellwise.flow.pipeline.reasons import may_have_passed, why_sites
from cellwise.flow.pipeline.state import State, log_name, site_module
from cellwise.flow.recipe.resolve import Step


def run_site_step(step: Step, *, state: State, options: str) -> dict[str, Any]:
    """Do what is left of a per-site step and return its facts for `run.json`."""
    started = time.monotonic()
    keys = site_keys(step, state=state)
    state.site_keys[log_name(step)] = keys
    log = state.log(log_name(step))
    job = state.job(step, base_key(step, state=state))
    done = _finished(keys, job=job, step=step, state=state)
    todo = sorted(site for site in keys if site not in done)
    if todo:
        why = why_sites(todo, log.latest, keys, options=options)
        state.listener.step_started(step.title, total=len(todo), unit="site", why=why)
        # The tables no longer tell what lies on disk, and leftovers of other settings go with them.
        log.void({**{site: keys[site] for site in todo}, TABLE: ""})
        _do_sites(todo, keys, step=step, job=job, state=state)
    counts, merged = _merge(keys, job=job, step=step, state=state)
    seconds = time.monotonic() - started
    if todo or merged:
        state.listener.step_finished(step.title, seconds=seconds, counts=counts)
    else:
        state.listener.step_reused(step.title, counts=counts)
    return {
        "name": step.name,
        "kind": step.kind,
        "key": combine(keys[site] for site in sorted(keys)),
        "seconds": round(seconds, 3),
        "counts": counts,
        "state": "done" if todo or merged else "reused",
    }


def _finished(keys: dict[str, str], *, job: Job, step: Step, state: State) -> set[str]:
    """The sites whose result under the current key lies on disk, or which stay set aside."""
    latest = state.log(log_name(step)).latest
    current = {site: r for site, r in latest.items() if keys.get(site) == r.key}
    good = {site: record.shard for site, record in current.items() if record.error is None}
    aside = {site for site, r in current.items() if r.error is not None and not may_have_passed(r)}
    present = getattr(site_module(step.kind), "present", None)
    return aside | set(good if present is None else present(job, good))


def _do_sites(todo: list[str], keys: dict[str, str], *, step: Step, job: Job, state: State) -> None:
    module = site_module(step.kind)
    size = max(1, min(module.BATCH, -(-len(todo) // max(1, 4 * job.workers))))
    groups = [todo[start : start + size] for start in range(0, len(todo), size)]
    batches = [(group, replace(job, key=combine(keys[site] for site in group))) for group in groups]
    log = state.log(log_name(step))
    finished = 0
    for (group, batch_job), records in zip(
        batches, state.workers.map(module.work, batches), strict=True
    ):
        log.append([from_site(r, keys[r.site_id], batch_job.key) for r in records])
        finished += len(group)
        state.listener.step_advanced(finished, total=len(todo), note=group[-1])


def _merge(
    keys: dict[str, str], *, job: Job, step: Step, state: State
) -> tuple[dict[str, Any], bool]:
    """Counts of the step, and whether its tables had to be written for them."""
    log = state.log(log_name(step))
    good = {site: log.latest[site].shard for site in sorted(keys) if log.latest[site].error is None}
    key = combine(f"{site} {keys[site]} {shard}" for site, shard in good.items())
    record = log.latest.get(TABLE)
    output = state.run.pixels if step.kind == "segment" else state.run.cells
    aside = len(keys) - len(good)
    if record is not None and record.key == key and output.is_file():
        return {**record.counts, "set_aside": aside}, False
    log.void({TABLE: key})
    counts = {**site_module(step.kind).finish(job, good), "set_aside": aside}
    log.append([Done(TABLE, key, counts)])
    return counts, True
