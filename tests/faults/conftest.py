"""One plate and its undisturbed run, shared by the tests that compare with it."""

import pytest
from tests.faults.deaths import new_death
from tests.faults.fault_runs import left_on_disk, run
from tests.worlds import plate


@pytest.fixture(scope="session")
def still_plate(tmp_path_factory):
    """A plate that no test may change."""
    return plate(tmp_path_factory.mktemp("still") / "images")


@pytest.fixture(scope="session")
def undisturbed(still_plate, tmp_path_factory):
    """What an undisturbed run of that plate leaves on disk."""
    out = tmp_path_factory.mktemp("undisturbed") / "out.run"
    assert run(still_plate, out).exit_code == 0
    return left_on_disk(out)


@pytest.fixture(scope="session")
def death():
    """What kills a run in this process."""
    hook = new_death()
    yield hook
    hook.end()
