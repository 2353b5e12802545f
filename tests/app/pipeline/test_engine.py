import os
import signal
from pathlib import Path

import pytest

from cellwise.app.pipeline.engine import map_batches
from cellwise.domain.steps import Job, SiteRecord

JOB = Job(Path(), Path(), "x", {}, "k", 0)
SITES = [f"s{i:02d}" for i in range(12)]


def note(site_ids, job):
    return [SiteRecord(site, {"pid": os.getpid()}) for site in site_ids]


def die_on_s05(site_ids, job):
    if "s05" in site_ids:
        os.kill(os.getpid(), signal.SIGKILL)
    return note(site_ids, job)


def batches(size):
    return [(SITES[i : i + size], JOB) for i in range(0, len(SITES), size)]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_batches(workers):
    records = [r for group in map_batches(note, batches(2), workers=workers) for r in group]
    assert [record.site_id for record in records] == SITES
    own = {record.counts["pid"] for record in records} == {os.getpid()}
    assert own == (workers == 1)


@pytest.mark.long
def test_a_worker_that_dies_costs_the_site_it_held():
    records = [r for group in map_batches(die_on_s05, batches(3), workers=2) for r in group]
    assert [record.site_id for record in records] == SITES
    failed = [record for record in records if record.error is not None]
    assert [(record.site_id, record.error.code) for record in failed] == [("s05", "worker_died")]
