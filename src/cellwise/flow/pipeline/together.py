"""Two per-site steps that read the same images, done batch by batch together: decoded once.

A step that reads the files of sites, and what the step before it made of each site, is done on a
batch right after that one, in the same worker. Records, keys and shards are those of two steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cellwise.domain.records import Site
from cellwise.domain.steps import Job, SiteRecord
from cellwise.flow.pipeline.done import TABLE, from_site
from cellwise.flow.pipeline.inputs import base_key
from cellwise.flow.pipeline.keys import combine
from cellwise.flow.pipeline.reasons import why_sites
from cellwise.flow.pipeline.record import changed_options, earlier_options
from cellwise.flow.pipeline.state import State, log_name
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import writer
from cellwise.flow.recipe.resolve import Step
from cellwise.store.images.kept import decoded_once


@dataclass(frozen=True, slots=True)
class Pair:
    """What a worker needs for both steps; the kinds name their modules.

    `wanted` are the sites that the second step has to do.
    """

    first: Job
    first_kind: str
    second: Job
    second_kind: str
    wanted: frozenset[str]


# A site's record of the first step, and of the second where the first went well.
Records = tuple[SiteRecord, SiteRecord | None]


def work_both(sites: list[Site], pair: Pair) -> list[Records]:
    """Do a batch of sites in both steps."""
    with decoded_once():
        first = step_module(pair.first_kind).work(sites, pair.first)
        good = {record.site_id for record in first if record.error is None}
        left = [site for site in sites if site.id in good & pair.wanted]
        second = step_module(pair.second_kind).work(left, pair.second)
    after = {record.site_id: record for record in second}
    return [(record, after.get(record.site_id)) for record in first]


class Follower:
    """The step that is done together with another, and what it has on record.

    Args:
        step: The step.
        keys: The key of each of its sites.
        todo: The sites that it has to do.
        state: The run.
    """

    def __init__(self, step: Step, keys: dict[str, str], todo: set[str], *, state: State) -> None:
        self.step, self.keys, self._todo = step, keys, todo
        self._state = state
        self._log = state.log(log_name(step))
        self._base = base_key(step, state=state)

    def begin(self) -> None:
        """Withdraw what is on record of sites before their results are overwritten."""
        before = earlier_options(self._state.earlier)
        known = before.get(f"{self.step.kind}-{self.step.name}")
        options = "; ".join(changed_options(known, self.step.options))
        todo = sorted(self._todo)
        why = why_sites(todo, self._log.latest, self.keys, options=options)
        self._state.together[log_name(self.step)] = (len(todo), why)
        self._log.void({**{site: self.keys[site] for site in todo}, TABLE: ""})

    def wanted(self, group: list[str]) -> list[str]:
        """The sites of a batch that it has to do."""
        return [site for site in group if site in self._todo]

    def job(self, group: list[str]) -> Job:
        """The job of a batch; its key names the shard."""
        return self._state.request.job(self.step, self._shard(group))

    def append(self, group: list[str], records: list[SiteRecord]) -> None:
        """Put on record what was done."""
        shard = self._shard(group)
        done = [from_site(r, self.keys[r.site_id], shard) for r in records]
        self._log.append(done, soon=True)

    def _shard(self, group: list[str]) -> str:
        return combine([self._base, *(self.keys[site] for site in self.wanted(group))])


def follower_of(step: Step, steps: Sequence[Step]) -> Step | None:
    """The step after `step` where it can be done together with it."""
    place = [other.title for other in steps].index(step.title)
    after = steps[place + 1 : place + 2]
    if not after or not _reads_files(step) or not _fits(step, after[0], list(steps[: place + 1])):
        return None
    return after[0]


def _fits(step: Step, after: Step, before: list[Step]) -> bool:
    """Whether all that the step after needs of each site is its files and this step's results."""
    if after.spec.grain != "site" or after.needs or after.spec.device or not _reads_files(after):
        return False
    results = [r for r in after.spec.reads if r.noun.counts != "files_of_site"]
    return all(
        read.noun.per_site and not read.by and _title(writer(read.noun, before)) == step.title
        for read in results
    )


def _reads_files(step: Step) -> bool:
    return any(read.noun.counts == "files_of_site" for read in step.spec.reads)


def _title(step: Any) -> str:
    return step.title if step is not None else ""
