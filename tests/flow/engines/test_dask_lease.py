"""What a worker of Dask writes and reads under a lease; no scheduler is needed."""

import threading

import pytest

from cellwise.domain.steps import SiteRecord
from cellwise.errors import InputError
from cellwise.flow.engines.dask.lease import Lease, Withdrawn
from cellwise.flow.engines.dask.work import Written, _patiently
from cellwise.parts.devices import gpu_fault
from cellwise.store.atomic import watched_by, write_text
from cellwise.store.run.crops import write_site


@pytest.fixture
def lease(tmp_path):
    lease = Lease("word", run=tmp_path, patience=2.0)
    lease.token.parent.mkdir()
    lease.token.write_text("word")
    return lease


def test_what_is_written_is_noted_with_its_size(lease, tmp_path):
    written = Written(lease)
    with watched_by(written):
        write_text(tmp_path / "masks" / "a.txt", "five.")
        write_text(tmp_path / "gone.txt", "x")
        (tmp_path / "gone.txt").unlink()
    write_text(tmp_path / "later.txt", "x")
    assert written.files() == ((tmp_path / "masks" / "a.txt", 5),)


def test_crops_are_noted_under_their_last_name(lease, tmp_path):
    import numpy as np

    written = Written(lease)
    with watched_by(written):
        name = write_site(tmp_path / "crops", "a", [np.zeros((1, 1, 4, 4))], shape=(1, 1, 4, 4))
    assert [path for path, _ in written.files()] == [tmp_path / "crops" / f"{name}.npy"]


@pytest.mark.parametrize("end", ["the token goes", "another took over"])
def test_a_worker_that_was_cut_off_writes_nothing(lease, tmp_path, end):
    write_text(tmp_path / "a.txt", "new")
    if end == "the token goes":
        lease.token.unlink()
    else:
        lease.token.write_text("another")
    with watched_by(Written(lease)), pytest.raises(Withdrawn):
        write_text(tmp_path / "a.txt", "old")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.txt"]


def reads(path):
    def work(units, context):
        try:
            return [SiteRecord("a", {"size": float(len(path.read_text()))})]
        except FileNotFoundError as error:
            raised = InputError("no mask", code="mask_unreadable")
            raised.__cause__ = error
            return [SiteRecord("a", error=raised)]

    return work


def test_a_file_of_the_run_that_comes_late_is_waited_for(lease, tmp_path):
    late = tmp_path / "masks.tif"
    timer = threading.Timer(0.3, late.write_text, ["12345"])
    timer.start()
    assert _patiently(reads(late), ["a"], None, lease)[0].counts == {"size": 5.0}
    timer.join()


def test_an_image_that_is_gone_is_not_waited_for(lease, tmp_path_factory):
    calls = []

    def work(units, context):
        calls.append(units)
        return reads(tmp_path_factory.getbasetemp() / "elsewhere" / "x.png")(units, context)

    assert _patiently(work, ["a"], None, lease)[0].error.code == "mask_unreadable"
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("CUDA error: no CUDA-capable device is detected\nCUDA kernel errors might be ...", True),
        ("No CUDA GPUs are available", True),
        ("CUDA error: uncorrectable ECC error encountered", True),
        ("CUDA out of memory. Tried to allocate 2 GiB", False),
        ("CUDA error: device-side assert triggered", False),
        ("shape '[2]' is invalid", False),
    ],
)
def test_a_gpu_that_is_gone_is_told_from_a_bug(said, lost):
    assert bool(gpu_fault(RuntimeError(said))) == lost
    assert not gpu_fault(ValueError(said))
    assert "\n" not in gpu_fault(RuntimeError(said))
