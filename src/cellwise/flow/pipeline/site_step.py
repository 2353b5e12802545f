"""Runs a per-site step: only the sites whose key has no record yet, then the merge."""

import time
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from cellwise.domain.records import Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.errors import InputError
from cellwise.flow.pipeline.done import TABLE, Done, from_site
from cellwise.flow.pipeline.inputs import base_key, finish_key, former_keys, site_keys
from cellwise.flow.pipeline.keys import combine
from cellwise.flow.pipeline.outputs import outputs_there, step_facts
from cellwise.flow.pipeline.reasons import may_have_passed, why_sites
from cellwise.flow.pipeline.state import State, log_name
from cellwise.flow.pipeline.together import Follower, Pair, Records, follower_of, work_both
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.resolve import Step

if TYPE_CHECKING:
    from collections.abc import Iterator


class SiteStep(Protocol):
    """The module of a step that works site by site."""

    def work(self, units: list[Site], context: Job) -> list[SiteRecord]:
        """Do a batch of sites."""

    def finish(self, job: Job, finished: dict[str, Finished]) -> dict[str, Any]:
        """Merge the results of all sites; returns counts."""


def run_site_step(step: Step, *, state: State, options: str) -> dict[str, Any]:
    """Do what is left of a per-site step and return its facts for `run.json`."""
    started = time.monotonic()
    keys = site_keys(step, state=state)
    state.site_keys[log_name(step)] = keys
    log = state.log(log_name(step))
    job = state.request.job(step, base_key(step, state=state))
    _take_over(keys, step=step, state=state)
    done = _finished(keys, job=job, step=step, state=state)
    todo = sorted(site for site in keys if site not in done)
    if todo:
        why = why_sites(todo, log.latest, keys, options=options)
        state.listener.step_started(step.title, total=len(todo), unit="site", why=why)
        # The tables no longer tell what lies on disk, and leftovers of other settings go with them.
        log.void({**{site: keys[site] for site in todo}, TABLE: ""})
        _do_sites(todo, keys, step=step, job=job, state=state)
    else:
        _say_what_was_done(step, state=state)
    counts, merged = _merge(keys, job=job, step=step, state=state)
    seconds = time.monotonic() - started
    if todo or merged:
        state.listener.step_finished(step.title, seconds=seconds, counts=counts)
    else:
        state.listener.step_reused(step.title, counts=counts)
    return step_facts(
        step,
        key=combine(keys[site] for site in sorted(keys)),
        seconds=seconds,
        counts=counts,
        state="done" if todo or merged else "reused",
    )


def undone(step: Step, *, state: State) -> list[str]:
    """The sites that a per-site step has still to do; its keys are known from then on."""
    keys = site_keys(step, state=state)
    state.site_keys[log_name(step)] = keys
    job = state.request.job(step, base_key(step, state=state))
    _take_over(keys, step=step, state=state)
    done = _finished(keys, job=job, step=step, state=state)
    return sorted(site for site in keys if site not in done)


def run_share(step: Step, *, state: State, mine: Collection[str]) -> dict[str, Any]:
    """Do what is left of some sites of a per-site step, and no merge; returns its facts.

    Args:
        step: The step.
        state: Of the shard that these sites belong to.
        mine: The sites; those that no step has to do are passed over.
    """
    started = time.monotonic()
    keys = {site: key for site, key in site_keys(step, state=state).items() if site in mine}
    state.site_keys[log_name(step)] = keys
    log = state.log(log_name(step))
    job = state.request.job(step, base_key(step, state=state))
    done = _finished(keys, job=job, step=step, state=state)
    todo = sorted(site for site in keys if site not in done)
    if todo:
        why = why_sites(todo, log.latest, keys, options="")
        state.listener.step_started(step.title, total=len(todo), unit="site", why=why)
        log.void({**{site: keys[site] for site in todo}, TABLE: ""})
        _do_sites(todo, keys, step=step, job=job, state=state)
    else:
        _say_what_was_done(step, state=state)
    aside = sum(log.latest[site].error is not None for site in keys)
    counts = {"sites": len(keys) - aside, "set_aside": aside}
    seconds = time.monotonic() - started
    if todo:
        state.listener.step_finished(step.title, seconds=seconds, counts=counts)
    else:
        state.listener.step_reused(step.title, counts=counts)
    key, words = combine(keys[site] for site in sorted(keys)), "done" if todo else "reused"
    return step_facts(step, key=key, seconds=seconds, counts=counts, state=words)


def _take_over(keys: dict[str, str], *, step: Step, state: State) -> None:
    """Records of a step that worked on whole tables when this run was made, as those of sites."""
    log = state.log(log_name(step))
    record = log.latest.get(TABLE)
    if not step.spec.former or record is None or not record.key or len(log.latest) > 1:
        return
    if record.key not in former_keys(step, state=state):
        return
    if not outputs_there(step, state=state, counts=record.counts):
        return
    taken = [Done(site, key) for site, key in sorted(keys.items())]
    key = _merge_key(keys, taken, step=step, state=state)
    log.append([*taken, Done(TABLE, key, record.counts)])


def _finished(keys: dict[str, str], *, job: Job, step: Step, state: State) -> set[str]:
    """The sites whose result under the current key lies on disk, or which stay set aside."""
    log = state.log(log_name(step))
    current = {site: r for site, r in log.latest.items() if keys.get(site) == r.key}
    good = {
        site: Finished(r.shard, r.counts, site not in log.unmerged)
        for site, r in current.items()
        if r.error is None
    }
    aside = {site for site, r in current.items() if r.error is not None and not may_have_passed(r)}
    present = getattr(step_module(step.kind), "present", None)
    return aside | set(good if present is None else present(job, good))


def _say_what_was_done(step: Step, *, state: State) -> None:
    """Say what was done of this step together with the one before."""
    count, why = state.together.get(log_name(step), (0, ""))
    if count:
        state.listener.step_started(step.title, total=count, unit="site", why=why)


def _do_sites(todo: list[str], keys: dict[str, str], *, step: Step, job: Job, state: State) -> None:
    engine, gpu = state.engine, _on_gpu(step, state.request.device)
    most = at_once(
        step,
        workers=engine.workers,
        device=state.request.device,
        gpus=engine.gpus if gpu else 1,
    )
    size = batch_size(step, len(todo), most)
    groups = [todo[start : start + size] for start in range(0, len(todo), size)]
    shards = [combine(keys[site] for site in group) for group in groups]
    jobs = [replace(job, key=shard) for shard in shards]
    log = state.log(log_name(step))
    follower = _follower(todo, keys, step=step, state=state)
    if follower is None:
        module = cast("SiteStep", step_module(step.kind))
        batches = zip(state.batches(todo, size), jobs, strict=True)
        alone = engine.map(module.work, batches, lost=_lost, most=most, gpu=gpu)
        results: Iterator[list[Records]] = ([(r, None) for r in records] for records in alone)
    else:
        follower.begin()
        kind = follower.step.kind
        pairs = [
            Pair(first, step.kind, follower.job(group), kind, frozenset(follower.wanted(group)))
            for group, first in zip(groups, jobs, strict=True)
        ]
        both = zip(state.batches(todo, size), pairs, strict=True)
        results = engine.map(work_both, both, lost=_lost_in_both, most=most, gpu=gpu)
    finished = 0
    for group, shard, records in zip(groups, shards, results, strict=True):
        log.append([from_site(r, keys[r.site_id], shard) for r, _ in records], soon=True)
        if follower is not None:
            follower.append(group, [after for _, after in records if after is not None])
        finished += len(group)
        state.listener.step_advanced(finished, total=len(todo), note=group[-1])


def _follower(
    todo: list[str], keys: dict[str, str], *, step: Step, state: State
) -> Follower | None:
    """The step that is done together with this one, where it has something to do."""
    after = follower_of(step, state.request.recipe.steps)
    if after is None:
        return None
    found = site_keys(after, state=state, assumed={log_name(step): keys})
    job = state.request.job(after, base_key(after, state=state))
    left = set(todo) & set(found) - _finished(found, job=job, step=after, state=state)
    return Follower(after, found, left, state=state) if left else None


def at_once(step: Step, *, workers: int, device: str, gpus: int = 1) -> int:
    """Workers side by side; fewer where each takes several processor threads, one on each GPU."""
    if _on_gpu(step, device):
        return gpus
    threads = int(step.options.get(step.spec.threads, 1)) if step.spec.threads else 1
    return max(1, workers // threads)


def _on_gpu(step: Step, device: str) -> bool:
    return step.spec.device and device != "cpu"


def batch_size(step: Step, count: int, most: int) -> int:
    """Sites of one batch: few enough that each worker gets several batches."""
    return max(1, min(step.spec.batch, -(-count // max(1, 4 * most))))


def _lost(site: Site) -> SiteRecord:
    error = InputError(
        "The worker process died on this site (most often: out of memory).",
        code="worker_died",
        remedy="Give fewer --workers or more memory, then run again.",
        path=site.id,
    )
    return SiteRecord(site.id, error=error)


def _lost_in_both(site: Site) -> Records:
    return _lost(site), None


def _merge_key(keys: dict[str, str], good: list[Done], *, step: Step, state: State) -> str:
    parts = [f"{record.site} {keys[record.site]} {record.shard}" for record in good]
    extra = finish_key(step, state=state)
    return combine([*parts, extra] if extra else parts)


def _merge(
    keys: dict[str, str], *, job: Job, step: Step, state: State
) -> tuple[dict[str, Any], bool]:
    """Counts of the step, and whether its tables had to be written for them."""
    log = state.log(log_name(step))
    good = [log.latest[site] for site in sorted(keys) if log.latest[site].error is None]
    key = _merge_key(keys, good, step=step, state=state)
    record = log.latest.get(TABLE)
    aside = len(keys) - len(good)
    if (
        record is not None
        and record.key == key
        and outputs_there(step, state=state, counts=record.counts)
    ):
        return {**record.counts, "set_aside": aside}, False
    log.void({TABLE: key})
    module = cast("SiteStep", step_module(step.kind))
    finished = {
        record.site: Finished(record.shard, record.counts, record.site not in log.unmerged)
        for record in good
    }
    counts = {**module.finish(job, finished), "set_aside": aside}
    log.append([Done(TABLE, key, counts)])
    settle = getattr(module, "settle", None)
    if settle is not None:
        settle(job, {r.shard for r in log.latest.values() if r.key})
    return counts, True
