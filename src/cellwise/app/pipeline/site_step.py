"""Runs a per-site step: only the sites whose key has no record yet, then the merge."""

import time
from dataclasses import replace
from typing import Any

from cellwise.app.pipeline.done import TABLE, Done, from_site
from cellwise.app.pipeline.engine import map_batches
from cellwise.app.pipeline.inputs import base_key, site_keys
from cellwise.app.pipeline.keys import combine
from cellwise.app.pipeline.state import State, log_name, site_module
from cellwise.app.recipe.resolve import Step
from cellwise.domain.steps import Job


def run_site_step(step: Step, *, state: State, why: str) -> dict[str, Any]:
    """Do what is left of a per-site step and return its facts for `run.json`."""
    started = time.monotonic()
    keys = site_keys(step, state=state)
    name = log_name(step)
    state.site_keys[name] = keys
    log = state.log(name)
    job = state.job(step, base_key(step, state=state))
    done = {site: record for site, record in log.latest.items() if keys.get(site) == record.key}
    module = site_module(step.kind)
    present = getattr(module, "present", None)
    if present is not None:
        good = {site: r.shard for site, r in done.items() if r.error is None}
        lost = set(good) - set(present(job, good))
        done = {site: record for site, record in done.items() if site not in lost}
    todo = sorted(site for site in keys if site not in done)
    if todo:
        state.listener.step_started(step.name, total=len(todo), unit="site", why=why)
        _do_sites(todo, keys, step=step, job=job, state=state)
    counts = _merge(keys, job=job, step=step, state=state)
    seconds = time.monotonic() - started
    if todo:
        state.listener.step_finished(step.name, seconds=seconds, counts=counts)
    else:
        state.listener.step_reused(step.name, counts=counts)
    return {
        "name": step.name,
        "kind": step.kind,
        "key": combine(keys[site] for site in sorted(keys)),
        "seconds": round(seconds, 3),
        "counts": counts,
        "state": "done" if todo else "reused",
    }


def _do_sites(todo: list[str], keys: dict[str, str], *, step: Step, job: Job, state: State) -> None:
    module = site_module(step.kind)
    size = max(1, min(module.BATCH, -(-len(todo) // max(1, 4 * job.workers))))
    groups = [todo[start : start + size] for start in range(0, len(todo), size)]
    batches = [(group, replace(job, key=combine(keys[site] for site in group))) for group in groups]
    log = state.log(log_name(step))
    finished = 0
    for (group, batch_job), records in zip(
        batches, map_batches(module.work, batches, workers=job.workers), strict=True
    ):
        log.append([from_site(r, keys[r.site_id], batch_job.key) for r in records])
        finished += len(group)
        state.listener.step_advanced(finished, total=len(todo), note=group[-1])


def _merge(keys: dict[str, str], *, job: Job, step: Step, state: State) -> dict[str, Any]:
    log = state.log(log_name(step))
    good = {site: log.latest[site].shard for site in sorted(keys) if log.latest[site].error is None}
    key = combine(f"{site} {keys[site]} {shard}" for site, shard in good.items())
    record = log.latest.get(TABLE)
    module = site_module(step.kind)
    outputs = [path for path in _outputs(step.kind, state) if not path.is_file()]
    if record is None or record.key != key or outputs:
        counts = module.finish(job, good)
        counts["set_aside"] = len(keys) - len(good)
        log.append([Done(TABLE, key, counts)])
        return counts
    return dict(record.counts)


def _outputs(kind: str, state: State) -> list[Any]:
    return [state.run.pixels] if kind == "segment" else [state.run.cells]
