"""That the benchmark of bookkeeping still runs, and that its turns are what it says they are."""

import argparse
from pathlib import Path

import pytest
from benchmarks import bookkeeping as script

import cellwise

SOURCE = Path(cellwise.__file__).parents[1]


@pytest.mark.slow
def test_a_second_call_does_nothing_and_one_site_more_costs_no_other_site():
    asked = argparse.Namespace(files=True, workers=1, source=SOURCE, profile="")
    fresh, again, more = script.compare(1020, asked)
    assert {state.split()[0] for state in fresh.worked_on.values()} == {"done"}
    assert {state.split()[0] for state in again.worked_on.values()} == {"reused"}
    assert more.worked_on["no_read"].startswith("done")
    # One is set aside by the first of the three steps, and two of them go through sites together.
    assert [turn.sites_done for turn in (fresh, again, more)] == [3 * 1020 - 1, 0, 3]
    assert fresh.coordinator_mb > 0 < fresh.cpu_s
