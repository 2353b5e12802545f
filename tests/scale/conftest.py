"""One plate and what a run on one machine leaves of it."""

import pytest
from tests.faults.deaths import new_death
from tests.faults.fault_runs import left_on_disk
from tests.scale.shard_runs import whole
from tests.worlds import plate


@pytest.fixture(scope="session")
def still_plate(tmp_path_factory):
    """Five fields, which no test may change."""
    return plate(tmp_path_factory.mktemp("shards") / "images", 5)


@pytest.fixture(scope="session")
def alone(still_plate, tmp_path_factory):
    """What a run of that plate on one machine leaves on disk."""
    out = tmp_path_factory.mktemp("alone") / "out.run"
    assert whole(still_plate, out).exit_code == 0
    return left_on_disk(out)


@pytest.fixture(scope="session")
def death():
    """What kills a run in this process."""
    hook = new_death()
    yield hook
    hook.end()
