"""The small run, opened, with what is drawn of it."""

import pytest

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.shown import Drawn


@pytest.fixture(scope="session")
def drawn(shown_run):
    return Drawn(open_run(shown_run.run))
