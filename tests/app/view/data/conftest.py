"""The small run, opened."""

import pytest

from cellwise.app.view.data.opened import open_run


@pytest.fixture(scope="session")
def opened(shown_run):
    return open_run(shown_run.run)
