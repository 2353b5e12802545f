"""A run of its own for each test, and its desk."""

from datetime import UTC, datetime, timedelta

import pytest

from cellwise.app.view.data.opened import cells_stamp
from cellwise.app.view.desk.desk import Desk
from cellwise.app.view.shown import Shown


class Clock:
    """A clock that goes on by a second with each look."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class AtDesk:
    """A desk, and short words for what a person does there."""

    def __init__(self, run) -> None:
        self.shown = Shown(run)
        self.desk = Desk(self.shown, Clock())
        self.number = 0

    def name(self) -> str:
        self.number += 1
        return f"{self.number:016x}"

    def say(self, rows, verdict="yes", *, who="ann", name="inside", **more):
        stamp = cells_stamp(self.desk.opened.run)
        return self.desk.save(self.name(), rows, {name: verdict}, who=who, cells=stamp, **more)

    def holds(self, *columns):
        columns = columns or ("row", "class", "verdict", "who")
        return self.desk.opened.said.now().rows.sort("row", "who").select(columns).rows()


@pytest.fixture
def at_desk(own_run):
    return AtDesk(own_run)
