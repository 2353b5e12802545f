"""Workers of Dask that cannot do the work, lose their GPU or their scheduler during a run."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from tests.flow.engines.test_dask import SITES, everything, folders, lost, trusted

from cellwise.errors import Interrupted
from cellwise.flow.engines.dask.engine import DaskEngine
from cellwise.flow.engines.dask.places import LocalPlace, SchedulerPlace

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def work():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield importlib.import_module("engine_work")


@pytest.fixture
def place(work):
    return LocalPlace(2)


@pytest.fixture
def other(place, tmp_path):
    """An engine that speaks to a scheduler of somebody else, and what it said."""
    with DaskEngine(place) as owner, trusted(place, owner):
        owner._connected().wait_for_workers(60.0, print)
        address = owner._connected().address
        with DaskEngine(SchedulerPlace(address, insecure=False), patience=2.0) as other:
            yield other


def test_work_for_a_gpu_goes_to_the_worker_that_has_one_until_it_loses_it(other, work, tmp_path):
    said = []
    owner = other._connected()
    with_gpu = owner.workers()[0].address
    pid = owner.client.run(work.offer_gpu, workers=[with_gpu])[with_gpu]
    other.make_ready(replace(folders(tmp_path), device="cuda"), said.append)
    assert other.gpus == 1
    records = everything(other, work.note, 2, gpu=True)
    assert {record.counts["pid"] for record in records} == {pid}
    assert len(everything(other, work.note, 2)) == 12
    with pytest.raises(Interrupted, match=r"has lost its GPU \(CUDA error: no CUDA-capable device"):
        everything(other, work.lose_the_gpu, 2, gpu=True)


def test_a_worker_that_turns_out_not_to_fit_is_left_out_with_one_line(other, work, tmp_path):
    said = []
    other.make_ready(folders(tmp_path), said.append)
    first, second = (worker.address for worker in other._connected().workers())
    other._connected().client.run(work.grow_old, workers=[first])
    # Else this worker is known to be fit.
    other._lease = replace(other._lease, session=other._lease.session + "x")
    other._lease.token.write_text(other._lease.session)
    records = everything(other, work.note, 2)
    assert [record.site_id for record in records] == SITES
    lines = [line for line in said if "left out" in line]
    assert len(lines) == 1
    assert f"({first}) has cellwise 0.0.1, the coordinator" in lines[0]
    assert [worker.address for worker in other._connected().workers()] == [second]
    other._lease = replace(other._lease, session=other._lease.session + "y", free=10**18)
    other._lease.token.write_text(other._lease.session)
    with pytest.raises(
        Interrupted, match=r"MB free in its temporary folder .* No other worker that could"
    ):
        everything(other, work.note, 2)


def test_a_scheduler_that_goes_away_ends_the_run_at_once(other, place, work, tmp_path):
    other.make_ready(folders(tmp_path), print)
    groups = other.map(work.say_pid_slowly, [([site], None) for site in SITES], lost=lost)
    next(groups)
    place.close()
    with pytest.raises(Interrupted, match=r"The scheduler at tls://.* is gone"):
        list(groups)
