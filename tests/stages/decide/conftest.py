"""A small run folder that is ready to be decided."""

import pytest
from tests.stages.decide.decide_world import RunMaker


@pytest.fixture
def maker(tmp_path):
    return RunMaker(tmp_path)
