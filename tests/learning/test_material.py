"""Items of cells: labels of their own where they have any, else those of their field."""

import numpy as np
import polars as pl

from cellwise.learning.material import of_cells


def test_cells_have_their_own_labels_or_those_of_their_field_and_then_no_weight():
    own = [[0.25, 1.0, 0.5], None, [0.0, 0.125, 0.75]]
    cells = pl.DataFrame(
        {"place": [1, 0, 1], "label": own, "weight": [0.5, None, 1.0]},
        schema={"place": pl.UInt32, "label": pl.Array(pl.Float32, 3), "weight": pl.Float32},
    )
    fields = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    found = of_cells(cells, fields, lambda at: np.zeros((len(at), 2), np.float32))
    assert found.targets.tolist() == [own[0], [1, 0, 1], own[2]]
    assert found.weights.tolist() == [0.5, 0, 1]
    assert found.fields.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
