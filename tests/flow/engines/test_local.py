import importlib
import os
import time
from pathlib import Path

import pytest

from cellwise.domain.steps import Job, SiteRecord
from cellwise.errors import InputError
from cellwise.flow.engines import local

JOB = Job(Path(), Path(), "x", {}, "k", 0)
SITES = [f"s{i:02d}" for i in range(12)]


@pytest.fixture(autouse=True)
def work(monkeypatch):
    """The functions that workers run; new processes inherit the path."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("engine_work")


def lost(site):
    return SiteRecord(site, error=InputError("died", code="worker_died", path=site))


def batches(size):
    return [(SITES[i : i + size], JOB) for i in range(0, len(SITES), size)]


def everything(work, *, size, workers):
    with local.build(workers) as engine:
        groups = engine.map(work, batches(size), lost=lost)
        return [record for group in groups for record in group]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_batches(work, workers):
    records = everything(work.note, size=2, workers=workers)
    assert [record.site_id for record in records] == SITES
    own = {record.counts["pid"] for record in records} == {os.getpid()}
    assert own == (workers == 1)


def test_workers_stay_from_step_to_step(work):
    with local.build(2) as engine:
        pids = [
            {
                record.counts["pid"]
                for group in engine.map(work.note, batches(1), lost=lost)
                for record in group
            }
            for _ in range(2)
        ]
    assert pids[1] <= pids[0] | pids[1]
    assert pids[0] & pids[1]


@pytest.mark.long
@pytest.mark.parametrize("name", ["die_on_s05", "too_large_on_s05"])
def test_a_worker_that_dies_costs_the_site_it_held(work, name):
    records = everything(getattr(work, name), size=3, workers=2)
    assert [record.site_id for record in records] == SITES
    failed = [record for record in records if record.error is not None]
    assert [(record.site_id, record.error.code) for record in failed] == [("s05", "worker_died")]


@pytest.mark.slow
@pytest.mark.long
def test_a_site_too_large_for_the_memory_costs_itself_without_workers_too(work):
    records = everything(work.too_large_on_s05, size=12, workers=1)
    assert [record.site_id for record in records if record.error is not None] == ["s05"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_is_not_hidden(work, workers):
    with pytest.raises(ZeroDivisionError, match="a bug"):
        everything(work.fail_on_s05, size=2, workers=workers)


def test_stopping_does_not_wait_for_what_is_under_way(work):
    started = time.monotonic()
    with local.build(2) as engine:
        some = [(SITES[:1], JOB), *((SITES, JOB) for _ in range(4))]
        groups = engine.map(work.linger_but_for_one, iter(some), lost=lost)
        next(groups)
        started = time.monotonic()
    assert time.monotonic() - started < 20


def test_workers_can_be_started_again_after_a_stop(work):
    with local.build(2) as engine:
        for _ in range(2):
            groups = engine.map(work.note, batches(1), lost=lost)
            assert len([record for group in groups for record in group]) == 12
            engine.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_work_says_is_heard_here(work, workers):
    heard = []
    with local.build(workers) as engine:
        groups = engine.map(work.say, batches(3), lost=lost, heard=heard.append)
        assert sum(len(group) for group in groups) == 12
    assert sorted(heard) == SITES


def test_fewer_at_a_time_where_work_takes_several_processors(work):
    with local.build(4) as engine:
        groups = engine.map(work.note, batches(2), lost=lost, most=1)
        assert {record.counts["pid"] for group in groups for record in group} == {os.getpid()}


@pytest.mark.slow
@pytest.mark.long
def test_where_no_worker_can_start_nothing_is_set_aside(tmp_path):
    """A script without `if __name__ == "__main__":` starts itself again in each worker."""
    import subprocess
    import sys

    from tests.faults.fault_runs import PLAIN, environment
    from tests.worlds import plate

    images = plate(tmp_path / "images", 2)
    script = tmp_path / "script.py"
    script.write_text(
        "import cellwise\n"
        f"cellwise.run({str(images)!r}, out={str(tmp_path / 'out.run')!r}, "
        f"recipe={str(PLAIN)!r}, workers=2, device='cpu')\n"
    )
    done = subprocess.run(
        [sys.executable, script], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr
    assert "worker_died" not in (tmp_path / "out.run" / "quarantine.csv").read_text()


def test_batches_are_read_as_they_are_needed(work):
    """A million batches must not lie in memory before the first is done."""
    read = []

    def endless():
        for number in range(1000):
            read.append(number)
            yield [f"s{number}"], JOB

    for workers in (1, 2):
        read.clear()
        with local.build(workers) as engine:
            groups = engine.map(work.note, endless(), lost=lost)
            next(groups)
            assert len(read) < 10


@pytest.mark.long
def test_no_more_at_a_time_than_asked_for(work, tmp_path):
    with local.build(4) as engine:
        batches_ = [([str(tmp_path)], JOB) for _ in range(12)]
        groups = engine.map(work.count_at_once, batches_, lost=lost, most=2)
        assert max(record.counts["at_once"] for group in groups for record in group) <= 2


@pytest.mark.slow
@pytest.mark.long
def test_a_worker_that_dies_while_nobody_waits_costs_the_site_it_held(work):
    """The pool is found broken by the next batch that is handed over."""
    with local.build(2) as engine:
        records = []
        for group in engine.map(work.die_on_s05, batches(1), lost=lost):
            records += group
            time.sleep(0.5)
    assert [record.site_id for record in records] == SITES
    assert [record.site_id for record in records if record.error is not None] == ["s05"]


@pytest.mark.long
def test_what_is_said_by_a_batch_that_is_repeated_does_not_fill_a_pipe(work):
    heard = []
    with local.build(2) as engine:
        groups = engine.map(work.talk_and_die_once, batches(3), lost=lost, heard=heard.append)
        assert len([record for group in groups for record in group]) == 12
    assert len(heard) >= 4000


def test_workers_take_one_thread_each_and_wait_passively(work, monkeypatch):
    for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "POLARS_MAX_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    with local.build(2) as engine:
        groups = list(engine.map(work.say_surroundings, batches(6), lost=lost))
    assert {tuple(r.counts.values()) for group in groups for r in group} == {(1.0, 1.0)}
    assert dict(os.environ) == before, "this process is not the engine's own"
