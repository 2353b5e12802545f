"""Which device a run works on where its workers are on other machines."""

import pytest

from cellwise.errors import UsageError
from cellwise.flow import devices
from cellwise.flow.devices import check_devices, devices_of, pick_device
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "has_gpu", lambda: False)


@pytest.fixture
def steps():
    return resolve(load_recipe("plate-quick")).steps


def test_workers_may_have_the_gpu_that_this_machine_lacks(steps):
    applied = [step for step in steps if not step.spec.fits]
    assert any(step.spec.device for step in applied)
    assert devices_of("cuda", {}, applied, engine={"name": "dask"}) == ("cuda", "cuda")
    assert devices_of("auto", {}, applied, engine="dask") == ("cpu", "cpu")
    with pytest.raises(UsageError, match="sees no GPU here"):
        devices_of("cuda", {}, applied, engine="local")


def test_a_training_needs_one_here(steps):
    with pytest.raises(UsageError, match="sees no GPU here"):
        devices_of("cuda", {}, steps, engine="dask")


def test_the_graphics_processor_of_a_mac_is_taken_by_name_where_torch_has_it(monkeypatch):
    monkeypatch.setattr(devices, "has_mps", lambda: False)
    with pytest.raises(UsageError, match="no Metal here"):
        pick_device("mps")
    monkeypatch.setattr(devices, "has_mps", lambda: True)
    assert (pick_device("mps"), pick_device("auto")) == ("mps", "cpu")
    check_devices(1, "mps")
    with pytest.raises(UsageError, match="one graphics processor"):
        check_devices(2, "mps")
