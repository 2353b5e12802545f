"""What a posterior is said to cost: more with more cells and restarts, nothing where none is."""

import pytest

from cellwise.stages.label.posterior import seconds_of


def test_more_cells_and_more_restarts_cost_more():
    few = seconds_of("posterior", 200, 5)
    assert 0 < few < seconds_of("posterior", 4000, 5)
    one = seconds_of({"name": "posterior", "restarts": 1}, 4000, 5)
    assert one < seconds_of({"name": "posterior", "restarts": 64}, 4000, 5)


@pytest.mark.parametrize(("cells", "classes"), [(0, 5), (100, 500)])
def test_cells_that_inherit_cost_nothing(cells, classes):
    assert seconds_of("posterior", cells, classes) == 0
