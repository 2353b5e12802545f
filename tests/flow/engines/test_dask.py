"""The engine `dask` with two real worker processes of this machine."""

import importlib
import os
import pickle
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import psutil
import pytest

from cellwise.domain.steps import Job, SiteRecord
from cellwise.errors import InputError, Interrupted, PreflightError, UsageError
from cellwise.flow.engines import Needs, engines
from cellwise.flow.engines.dask import places
from cellwise.flow.engines.dask.certificates import is_here, made_security
from cellwise.flow.engines.dask.engine import DaskEngine
from cellwise.flow.engines.dask.places import LocalPlace, SchedulerPlace
from cellwise.flow.engines.dask.work import Answer

pytestmark = pytest.mark.slow

JOB = Job(Path(), Path(), "x", {}, "k", 0)
SITES = [f"s{i:02d}" for i in range(12)]


def lost(site):
    return SiteRecord(site, error=InputError("died", code="worker_died", path=site))


def batches(size):
    return [(SITES[i : i + size], JOB) for i in range(0, len(SITES), size)]


@pytest.fixture(scope="module")
def here():
    """Workers import the functions of the tests by their plain name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield importlib.import_module("engine_work")


@pytest.fixture(scope="module")
def place(here):
    return LocalPlace(2)


@pytest.fixture(scope="module")
def engine(place):
    with DaskEngine(place, patience=0.5) as engine:
        yield engine


def everything(engine, work, size, **options):
    groups = engine.map(work, batches(size), lost=lost, **options)
    return [record for group in groups for record in group]


def test_results_come_in_the_order_of_the_batches_from_other_processes(engine, here):
    records = everything(engine, here.note, 2)
    assert [record.site_id for record in records] == SITES
    pids = {record.counts["pid"] for record in records}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_what_work_says_is_heard_here(engine, here):
    heard = []
    assert len(everything(engine, here.say, 3, heard=heard.append)) == 12
    assert sorted(heard) == SITES


@pytest.mark.long
@pytest.mark.parametrize("name", ["die_on_s05", "too_large_on_s05"])
@pytest.mark.parametrize("size", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_worker_that_dies_costs_the_site_it_held(engine, here, name, size):
    records = everything(engine, getattr(here, name), size)
    assert [record.site_id for record in records] == SITES
    failed = [record for record in records if record.error is not None]
    assert [(record.site_id, record.error.code) for record in failed] == [("s05", "worker_died")]


def test_a_worker_that_is_lost_costs_nothing(engine, here):
    """Killed from outside while it works: its batch is worked on again."""
    killed = []

    def one_is_killed(pid):
        if not killed:
            killed.append(pid)
            os.kill(pid, 9)

    records = everything(engine, here.say_pid_slowly, 2, heard=one_is_killed)
    assert [record.site_id for record in records] == SITES
    assert killed
    assert not [record for record in records if record.error is not None]


def test_a_bug_is_not_hidden(engine, here):
    with pytest.raises(ZeroDivisionError, match="a bug"):
        everything(engine, here.fail_on_s05, 2)
    # And nothing of it stays behind.
    assert len(everything(engine, here.note, 2)) == 12


def test_no_more_at_a_time_than_asked_for(engine, here, tmp_path):
    work = [([str(tmp_path)], JOB) for _ in range(4)]
    groups = engine.map(here.count_at_once, work, lost=lost, most=1)
    assert [record.counts["at_once"] for group in groups for record in group] == [1.0] * 4


def test_batches_are_read_as_they_are_needed(engine, here):
    read = []

    def endless():
        for number in range(1000):
            read.append(number)
            yield [f"s{number}"], JOB

    groups = engine.map(here.note, endless(), lost=lost)
    next(groups)
    groups.close()
    assert len(read) < 30


def test_nothing_listens_beyond_this_machine(engine, here):
    everything(engine, here.note, 2)
    everybody = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = [
        connection.laddr.ip
        for process in everybody
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    # Scheduler, dashboard, two nannies, and of each worker itself and its metrics.
    assert len(listening) >= 5
    assert set(listening) == {"127.0.0.1"}


@pytest.fixture
def address(engine, here):
    everything(engine, here.note, 6)
    return engine._session.address


@contextmanager
def trusted(place, engine):
    """Settings of Dask that name the certificates of the scheduler, as a user's own would."""
    engine._connected()
    security = place._cluster.security
    with dask.config.set(
        {
            "distributed.comm.require-encryption": True,
            "distributed.comm.tls.ca-file": security.tls_ca_file,
            "distributed.comm.tls.client.cert": security.tls_client_cert,
            "distributed.comm.tls.client.key": security.tls_client_key,
        }
    ):
        yield


def folders(tmp_path):
    images, run = tmp_path / "images", tmp_path / "out.run"
    images.mkdir()
    run.mkdir()
    return Needs(run, (images,))


def test_a_scheduler_with_certificates_is_used_and_told_once(
    address, engine, place, here, tmp_path
):
    assert address.startswith("tls://")
    said = []
    with (
        trusted(place, engine),
        DaskEngine(SchedulerPlace(address, insecure=False), patience=2) as other,
    ):
        needs = folders(tmp_path)
        other.make_ready(needs, said.append)
        assert other.workers == 2
        token = other._lease.token
        assert token.is_file()
        records = everything(other, here.write_and_say_where, 3)
        other.stop()
        assert len(everything(other, here.write_and_say_where, 3)) == 12
    assert [record.site_id for record in records] == SITES
    assert not token.exists()
    assert [line for line in said if "http://127.0.0.1" in line] == said
    assert len(said) == 1


def test_workers_that_do_not_see_the_folders_are_refused_by_name(address, engine, place, tmp_path):
    with (
        trusted(place, engine),
        DaskEngine(SchedulerPlace(address, insecure=False), patience=0.2) as other,
    ):
        needs = folders(tmp_path)
        other.make_ready(needs, print)
        session, lease = other._session, other._lease
        found = session.workers()
        # As on a disk of this host alone: what the coordinator wrote is not there.
        lease.token.unlink()
        with pytest.raises(PreflightError, match=r"The worker on 127\.0\.0\.1 .*see the run fold"):
            session.check_fit(lease, found)
        lease.token.write_text(lease.session)
        session.check_fit(lease, found)
        with pytest.raises(PreflightError, match=r"on 127.0.0.1 .* does not see the folder .*gone"):
            session.check_fit(replace(lease, folders=(tmp_path / "gone",)), found)
        with pytest.raises(PreflightError, match="does not see the working folder"):
            session.check_fit(replace(lease, place=tmp_path / "gone"), found)
        with pytest.raises(PreflightError, match=r"has cellwise .*, the coordinator 0\.0\.1"):
            session.check_fit(replace(lease, cellwise="0.0.1"), found)
        with pytest.raises(PreflightError, match=r"has Python .*, the coordinator 2\.7"):
            session.check_fit(replace(lease, python="2.7"), found)
        with pytest.raises(PreflightError, match="MB free in its temporary folder"):
            session.check_fit(replace(lease, free=10**18), found)


def test_versions_are_compared_before_any_code_travels(address, engine, monkeypatch):
    engine._session.check_versions()
    monkeypatch.setattr("cellwise.flow.engines.dask.session.__version__", "9.9")
    with pytest.raises(PreflightError, match=r"worker on 127\.0\.0\.1 .*the coordinator 9\.9"):
        engine._session.check_versions()


def test_a_gpu_is_asked_for_before_any_work(address, engine, place, tmp_path):
    with (
        trusted(place, engine),
        DaskEngine(SchedulerPlace(address, insecure=False), patience=0.2) as other,
    ):
        needs = replace(folders(tmp_path), device="cuda")
        with pytest.raises(PreflightError, match=r"No worker at .* has the resource GPU"):
            other.make_ready(needs, print)


def test_a_scheduler_that_asks_for_certificates_lets_nobody_else_in(address, monkeypatch):
    monkeypatch.setattr(places, "_GREETING", 2.0)
    plain, stranger = address.replace("tls://", "tcp://"), made_security()
    with pytest.raises(PreflightError, match="No scheduler of Dask answers at tcp://127"):
        SchedulerPlace(plain, insecure=False).connect(None, print)
    with pytest.raises(PreflightError, match="No scheduler of Dask answers at tls://127"):
        places.connected(address, stranger)


def test_no_scheduler_at_the_address_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    begun = time.monotonic()
    with (
        engines.build({"name": "dask", "scheduler": f"127.0.0.1:{port}"}) as engine,
        pytest.raises(PreflightError, match=f"answers at tcp://127.0.0.1:{port}"),
    ):
        engine._connected()
    assert time.monotonic() - begun < 20


def test_a_scheduler_beyond_this_machine_needs_certificates_or_consent(tmp_path):
    for address in ("tcp://192.0.2.1:8786", "192.0.2.1:8786"):
        with pytest.raises(PreflightError, match="--insecure-cluster"):
            SchedulerPlace(address, insecure=False).foresee("cpu")
        SchedulerPlace(address, insecure=True).foresee("cpu")
    SchedulerPlace("tls://192.0.2.1:8786", insecure=False).foresee("cpu")
    SchedulerPlace("localhost:8786", insecure=False).foresee("cpu")
    with pytest.raises(PreflightError, match="no certificates"):
        SchedulerPlace("localhost:8786", insecure=False).check_worker("tcp://192.0.2.7:4000")
    assert is_here("tcp://127.0.0.9:1")
    assert is_here("tcp://[::1]:1")
    assert not is_here("tcp://name.of.nobody.invalid:1")


def test_what_a_worker_wrote_is_waited_for(engine, tmp_path):
    late = tmp_path / "late"
    answer = Answer([], ((late, 4),), "node7")
    with pytest.raises(Interrupted, match="written on node7 and is not seen here after"):
        engine._wait_for_files(answer)
    late.write_bytes(b"old")
    timer = threading.Timer(0.2, late.write_bytes, [b"four"])
    timer.start()
    engine._wait_for_files(answer)
    timer.join()
    assert late.read_bytes() == b"four"


def test_without_the_packages_the_command_to_install_them_is_said(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'cellwise\[dask\]'"):
        engines.build({"name": "dask"})


def test_one_place_of_workers_is_named():
    with pytest.raises(UsageError, match="give one of them"):
        engines.build({"name": "dask", "scheduler": "a:1", "cluster": "b.yaml"})


def test_messages_survive_the_way(engine, here):
    """What is heard is what was said, not what a protocol makes of it."""
    heard = []
    everything(engine, here.say_many_kinds, 12, heard=heard.append)
    assert heard == [("s00", 1, {"a": (1, 2)}), pickle.loads(pickle.dumps(Path("x")))]
