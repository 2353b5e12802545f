"""A run may die between any two changes on disk; the same call then gives the same bytes.

The death is played: from one change on, an audit hook refuses every further one, so that no tidying
up can help. `test_killed.py` does the same with real processes at a few places.
"""

import pytest
from tests.faults.deaths import changes, die
from tests.faults.fault_runs import left_on_disk, partial_files, record, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def points(death, still_plate, tmp_path_factory):
    return changes(death, still_plate, tmp_path_factory.mktemp("count") / "out.run")


def survives(death, folder, out, *, after, undisturbed):
    died = die(death, folder, out, after=after)
    assert run(folder, out).exit_code == 0
    assert left_on_disk(out) == undisturbed, f"after {after} changes"
    assert partial_files(out) == []
    assert record(out)["status"] == "done"
    return died


@pytest.mark.parametrize("part", range(12))
def test_a_death_anywhere_leaves_nothing_behind(
    death, still_plate, undisturbed, tmp_path, points, part
):
    assert points > 60
    after = points * part // 12 + part % 5
    assert survives(death, still_plate, tmp_path / "out.run", after=after, undisturbed=undisturbed)


@pytest.mark.slow
def test_a_death_at_each_single_change_leaves_nothing_behind(
    death, still_plate, undisturbed, tmp_path, points
):
    for after in range(0, points, 3):
        out = tmp_path / f"{after}.run"
        survives(death, still_plate, out, after=after, undisturbed=undisturbed)


def test_deaths_one_after_the_other_come_to_an_end(death, still_plate, undisturbed, tmp_path):
    out, deaths = tmp_path / "out.run", 0
    while die(death, still_plate, out, after=17 + 3 * deaths):
        deaths += 1
    assert deaths > 3
    assert left_on_disk(out) == undisturbed


@pytest.mark.parametrize("part", range(1, 8))
def test_going_back_to_a_setting_after_a_death_with_another_takes_nothing_over(
    death, still_plate, undisturbed, tmp_path, points, part
):
    """The masks of the other setting lie under the same names."""
    out = tmp_path / "out.run"
    run(still_plate, out)
    other = ("segment.name=grid", "cells.size=20")
    assert die(death, still_plate, out, *other, after=points * part // 10)
    run(still_plate, out)
    assert left_on_disk(out) == undisturbed


def test_a_death_while_going_back_takes_nothing_over_either(
    death, still_plate, undisturbed, tmp_path, points
):
    out = tmp_path / "out.run"
    run(still_plate, out, "segment.name=grid")
    assert die(death, still_plate, out, after=points // 2)
    assert die(death, still_plate, out, "segment.name=grid", after=points // 3)
    run(still_plate, out)
    assert left_on_disk(out) == undisturbed
