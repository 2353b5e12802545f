"""Lines of a table from arms whose scores are made up."""

import numpy as np
import polars as pl
import pytest

from cellwise.lab.benchmark.cells import Known
from cellwise.lab.benchmark.compare import NO_GAP, TOO_SMALL, Sighting, compare
from cellwise.lab.benchmark.rows import Row, Table, World
from cellwise.lab.benchmark.statistics import SMALLEST_GAP

CLASSES = ("a", "b", "rare")


def known(random, *, groups=30, cells=240, name="g"):
    group = np.arange(cells) % groups
    truth = random.random((cells, 3)) < (0.4, 0.3, 0.0)
    truth[:3, 2] = True
    keys = pl.DataFrame({"site_id": ["x"] * cells, "cell_id": np.arange(cells)})
    return Known(keys, CLASSES, truth, group, tuple(f"{name}{g:03d}" for g in range(groups)))


def sighting(random, effects, *, seeds=2, **options):
    cells = known(random, **options)
    noise = [random.normal(0, 1, cells.truth.shape) for _ in range(seeds)]
    return Sighting(cells, {row: tuple(cells.truth * e + n for n in noise) for row, e in effects})


def table(*rows, worlds=None, **options):
    worlds = worlds or (World("w"),)
    return Table("t", worlds, rows, draws=300, **options)


INHERIT, TRUTH = Row("inherit", "r"), Row("truth", "r", against=("inherit",))


def test_each_row_is_held_against_the_best_of_its_bases():
    random = np.random.default_rng(0)
    effects = [("inherit", 0.5), ("truth", 3.0), ("other", 1.5), ("mine", 2.0)]
    seen = [sighting(random, effects) for _ in range(2)]
    rows = table(INHERIT, TRUTH, Row("other", "r"), Row("mine", "r", against=("inherit", "other")))
    lines = {line.row: line for line in compare(rows, "new", [(rows.worlds[0], seen)])}
    assert lines["mine"].base == "other"
    assert lines["mine"].sign == "better"
    assert lines["inherit"].base == ""
    assert lines["inherit"].sign == ""
    assert lines["mine"].difference.value == pytest.approx(
        lines["mine"].accuracy.value - lines["other"].accuracy.value
    )
    assert lines["truth"].closed.value == pytest.approx(1)
    assert lines["inherit"].closed.value == pytest.approx(0)
    assert 0 < lines["mine"].closed.low <= lines["mine"].closed.value <= lines["mine"].closed.high


def test_the_same_arm_twice_differs_by_nothing():
    random = np.random.default_rng(1)
    seen = [sighting(random, [("inherit", 1.0), ("truth", 1.0)])]
    rows = table(INHERIT, TRUTH)
    line = compare(rows, "new", [(rows.worlds[0], seen)])[1]
    assert (line.difference.value, line.difference.low, line.difference.high) == (0, 0, 0)
    assert (line.p, line.holm, line.sign) == (1, 1, "open")
    assert line.closed is None
    assert line.why_not == TOO_SMALL


def test_accuracy_is_the_mean_over_worlds_seeds_and_classes():
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(2)
    seen = [sighting(random, [("inherit", 1.0)]) for _ in range(3)]
    rows = table(INHERIT)
    (line,) = compare(rows, "new", [(rows.worlds[0], seen)])
    slow = np.mean(
        [
            average_precision_score(one.known.truth[:, c], scores[:, c])
            for one in seen
            for scores in one.scores["inherit"]
            for c in (0, 1)
        ]
    )
    assert line.accuracy.value == pytest.approx(slow)
    assert line.classes == ("a", "b")
    assert line.apart == {"rare": "3 cells show it"}
    assert (line.cells, line.groups) == (720, 90)
    assert line.why_not == NO_GAP


def test_groups_that_all_worlds_share_are_no_new_evidence():
    """The same plates in three worlds leave the interval about as wide as in one."""
    random = np.random.default_rng(3)
    one = sighting(random, [("inherit", 1.0)], seeds=1)
    widths = {}
    for groups in ("own", "shared"):
        world = World("w", groups=groups)
        rows = table(INHERIT, worlds=(world,))
        (line,) = compare(rows, "labelled", [(world, [one] * 3)])
        widths[groups] = line.accuracy.high - line.accuracy.low
        assert line.groups == (30 if groups == "shared" else 90)
    assert widths["shared"] > 1.3 * widths["own"]


def test_a_row_may_speak_of_some_classes_only():
    random = np.random.default_rng(4)
    seen = [sighting(random, [("inherit", 1.0), ("a-only", 2.0)])]
    row = Row("a-only", "r", against=("inherit",), classes=("a",))
    rows = table(INHERIT, row)
    line = compare(rows, "new", [(rows.worlds[0], seen)])[1]
    assert line.classes == ("a",)
    truth, scores = seen[0].known.truth[:, 0], seen[0].scores
    from sklearn.metrics import average_precision_score

    values = [
        np.mean([average_precision_score(truth, s[:, 0]) for s in scores[name]])
        for name in ("a-only", "inherit")
    ]
    assert line.difference.value == pytest.approx(values[0] - values[1])


def test_a_row_about_a_class_that_does_not_count_has_no_number():
    random = np.random.default_rng(5)
    seen = [sighting(random, [("inherit", 1.0), ("r", 2.0)])]
    rows = table(INHERIT, Row("r", "r", against=("inherit",), classes=("rare",)))
    line = compare(rows, "new", [(rows.worlds[0], seen)])[1]
    assert np.isnan(line.accuracy.value)
    assert line.sign == "open"


def test_the_order_of_cells_changes_nothing():
    random = np.random.default_rng(6)
    one = sighting(random, [("inherit", 1.0), ("truth", 2.0)])
    order = random.permutation(len(one.known.group))
    cells = one.known
    mixed = Sighting(
        Known(cells.keys[order], CLASSES, cells.truth[order], cells.group[order], cells.groups),
        {row: tuple(s[order] for s in scores) for row, scores in one.scores.items()},
    )
    rows = table(INHERIT, TRUTH)
    found = [compare(rows, "new", [(rows.worlds[0], [s])]) for s in (one, mixed)]
    # Lines hold numbers that are none (NaN), which since Python 3.13 are unequal in dataclasses.
    assert repr(found[0]) == repr(found[1])


def test_holm_goes_over_the_whole_table():
    """The same difference in more and more worlds needs more and more evidence."""
    random = np.random.default_rng(7)
    worlds = tuple(World(f"w{k}") for k in range(4))
    rows = table(INHERIT, TRUTH, worlds=worlds)
    seen = [(w, [sighting(random, [("inherit", 0.5), ("truth", 2.0)])]) for w in worlds]
    lines = [line for line in compare(rows, "new", seen) if line.base]
    least = min(line.p for line in lines)
    assert min(line.holm for line in lines) == pytest.approx(4 * least)


@pytest.mark.parametrize("effect", [0.0, 0.05])
def test_a_gap_whose_lower_bound_is_small_is_called_so(effect):
    random = np.random.default_rng(8)
    seen = [sighting(random, [("inherit", 1.0), ("truth", 1.0 + effect)])]
    rows = table(INHERIT, TRUTH)
    line = compare(rows, "new", [(rows.worlds[0], seen)])[1]
    assert line.gap.low < SMALLEST_GAP
    assert line.why_not == TOO_SMALL


def test_differences_over_worlds_are_those_of_each_world_with_students_interval():
    from scipy.stats import ttest_rel
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(8)
    seen = [sighting(random, [("inherit", 0.5), ("truth", 1.5)]) for _ in range(4)]
    rows = table(INHERIT, TRUTH)
    line = compare(rows, "new", [(rows.worlds[0], seen)])[1]
    worlds = [
        [
            np.mean(
                [
                    average_precision_score(one.known.truth[:, c], scores[:, c])
                    for scores in one.scores[name]
                    for c in (0, 1)
                ]
            )
            for one in seen
        ]
        for name in ("truth", "inherit")
    ]
    slow = ttest_rel(*worlds).confidence_interval(0.95)
    found = line.over_worlds
    assert (found.low, found.high) == pytest.approx((slow.low, slow.high))
    shared = World("w", groups="shared")
    rows = table(INHERIT, TRUTH, worlds=(shared,))
    line = compare(rows, "new", [(shared, seen)])[1]
    assert np.isnan(line.over_worlds.low)
    assert np.isnan(line.beside["brier"].difference.low)


def test_figures_beside_are_of_the_classes_that_count_and_paired_to_the_base():
    random = np.random.default_rng(9)
    seen = [sighting(random, [("inherit", 0.5), ("truth", 3.0)], seeds=1) for _ in range(3)]
    rows = table(INHERIT, TRUTH)
    first, second = compare(rows, "new", [(rows.worlds[0], seen)])
    for name, found in second.beside.items():
        assert found.difference.value == pytest.approx(
            found.value.value - first.beside[name].value.value, nan_ok=name == "mask_map_60"
        )
        assert first.beside[name].difference is None
    slow = [
        np.square(np.clip(one.scores["truth"][0], 0, 1) - one.known.truth)[:, :2].mean()
        for one in seen
    ]
    assert second.beside["brier"].value.value == pytest.approx(np.mean(slow))
    assert second.beside["worst_class_ap"].value.value <= second.accuracy.value
