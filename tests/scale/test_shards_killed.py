"""Calls for shards that die at any change on disk: the same calls then end as undisturbed."""

import pytest
from tests.faults.deaths import died
from tests.faults.fault_runs import left_on_disk, partial_files
from tests.scale.shard_runs import finish, merge, shard

pytestmark = pytest.mark.slow

# A prime, so that deaths fall on other changes of each batch.
STEP = 17


def calls(folder, out):
    """The calls of one run in two shards."""
    for text in ("1/2", "2/2"):
        yield lambda text=text: shard(folder, out, text)
    yield lambda: merge(folder, out)
    for text in ("2/2", "1/2"):
        yield lambda text=text: shard(folder, out, text)
    yield lambda: finish(folder, out)


@pytest.mark.parametrize("offset", [0, pytest.param(19, marks=pytest.mark.slow)])
def test_every_call_may_die_and_is_given_again(still_plate, alone, tmp_path, death, offset):
    out, deaths = tmp_path / "out.run", 0
    for number, call in enumerate(calls(still_plate, out)):
        after = (offset + 7 * number) % STEP
        # It comes further each time: at last it comes to its end.
        while died(death, out, call, after=after):
            deaths += 1
            after += STEP
        call()
    assert deaths > 20
    assert left_on_disk(out) == alone
    assert partial_files(out) == []
