"""Queues against the tables, calculated anew by plain loops."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.app.view.conftest import write_run
from tests.app.view.desk.conftest import AtDesk

from cellwise.app.audit import draw_cells
from cellwise.app.view.data.chances import Likeliest
from cellwise.app.view.data.question import Question
from cellwise.app.view.data.queues import _rare
from cellwise.errors import UsageError


@pytest.fixture
def at(tmp_path):
    return AtDesk(write_run(tmp_path, classes=("inside", "spots", "Negative")).run)


def everywhere(name, corners):
    return np.ones(108, bool)


def queue(at, which, **more):
    asked = Question(queue=which, **{"visitor": "ann", **more})
    return at.desk.opened.ask(asked, everywhere).tolist()


def test_of_one_class_the_least_sure_come_first(at):
    cells = at.desk.opened.cells
    chance = {row: float(value) for row, value in enumerate(cells.chances.of_class(0))}
    expected = sorted(chance, key=lambda row: (np.float32(abs(chance[row] - 0.5)), row))
    found = queue(at, "uncertain")
    assert sorted(found) == sorted(expected)
    assert [abs(chance[row] - 0.5) for row in found] == pytest.approx(
        [abs(chance[row] - 0.5) for row in expected]
    )
    whole = queue(at, "uncertain", whole="yes")
    assert cells.uncertainty[whole].tolist() == sorted(cells.uncertainty.tolist(), reverse=True)


def test_of_all_classes_the_likely_ones_of_rare_classes_come_first(at):
    cells = at.desk.opened.cells
    values = np.stack([cells.chances.of_class(code) for code in range(3)], 1).astype(float)
    share = values.mean(0)
    worth = [max(p * -math.log2(s) for p, s in zip(row, share, strict=True)) for row in values]
    found = queue(at, "rare", whole="yes")
    assert [worth[row] for row in found] == pytest.approx(sorted(worth, reverse=True), rel=1e-5)
    likely = cells.chances.of_class(1)[queue(at, "rare", name="spots")]
    assert likely.tolist() == sorted(likely.tolist(), reverse=True)


def test_what_disagrees_with_its_field_is_farther_than_one_half_from_its_label(at):
    opened = at.desk.opened
    cells, expected = opened.cells, {}
    for row in range(len(cells)):
        labels = opened.fields.row(int(cells.site[row]))["labels"] or []
        apart = abs(float(cells.chances.of_class(0)[row]) - ("inside" in labels))
        if labels and apart > 0.5:
            expected[row] = apart
    found = queue(at, "disagrees")
    assert expected
    assert set(found) == set(expected)
    assert [expected[row] for row in found] == sorted(expected.values(), reverse=True)
    assert set(queue(at, "disagrees", whole="yes")) == set(np.flatnonzero(cells.disagrees))


def test_judged_cells_leave_a_queue_only_when_it_is_taken_anew(at):
    before = queue(at, "uncertain")
    until = at.desk.state("ann")["now"]
    at.say([before[0]], who="bob")
    assert queue(at, "uncertain", until=until) == before
    assert queue(at, "uncertain") == before[1:]
    # Judged for one class of three: as a whole cell it is still to be judged.
    assert before[0] in queue(at, "uncertain", whole="yes")
    assert before[0] in queue(at, "uncertain", name="spots")


def test_filters_hold_in_a_queue(at):
    every = queue(at, "uncertain")
    some = queue(at, "uncertain", well="B03")
    fields = at.desk.opened.fields
    inside = [r for r in every if fields.ids[at.desk.opened.cells.site[r]] == "plate_B03"]
    assert some == inside


def test_the_random_draw_stands_in_its_order_and_each_person_judges_all_of_it(at):
    assert queue(at, "random") == []
    draw_cells(at.desk.opened.run.path, 20, seed=1)
    sheet = pl.read_csv(at.desk.opened.run.annotations / "draw.csv")
    cells = at.desk.opened.cells
    expected = [cells.row_of(*place) for place in sheet.select("site_id", "cell_id").rows()]
    assert queue(at, "random") == expected
    at.say(expected[:2], queue="random")
    # Looked up, not drawn: it has still to be judged as one that chance brought.
    at.say(expected[2:3])
    assert queue(at, "random") == expected[2:]
    assert queue(at, "random", visitor="bob") == expected
    assert queue(at, "random", whole="yes") == expected


def test_what_no_queue_can_be_made_of_is_said(at):
    with pytest.raises(UsageError, match="no queue 'best'"):
        queue(at, "best")
    with pytest.raises(UsageError, match="has no embeddings"):
        queue(at, "near")


def test_contradicted_cells_and_verdicts_are_filters(at):
    at.say([4, 5], "yes", who="ann")
    at.say([5], "no", who="bob")
    ask = lambda **more: at.desk.opened.ask(Question(**more), everywhere).tolist()  # noqa: E731
    assert ask(who="contradicted") == [5]
    assert sorted(ask(verdict="yes")) == [4, 5]
    assert ask(verdict="no") == [5]
    assert ask(verdict="no", name="spots") == []
    assert len(ask(who="nobody")) == 106


def test_of_very_many_classes_the_likeliest_are_enough():
    random = np.random.default_rng(1)
    names = tuple(f"c{number}" for number in range(1108))
    codes = np.stack([random.permutation(1108)[:5] for _ in range(40)]).astype(np.int32)
    values = np.sort(random.random((40, 5)).astype(np.float32), 1)[:, ::-1].copy()
    codes[3], values[3] = -1, np.nan
    few = Likeliest(names, codes, values, codes[:, 0], values[:, 0])
    worth = []
    share = {c: values[codes == c].sum() / 40 for c in set(codes[codes >= 0].tolist())}
    for row in range(40):
        each = [-math.log2(max(share[c], 1 / 41)) * v for c, v in few.of_cell(row)]
        worth.append(max(each, default=math.nan))
    cells: Any = SimpleNamespace(chances=few, classes=names)
    assert _rare(cells, 0, whole=True) == pytest.approx(worth, rel=1e-5, nan_ok=True)
