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


def test_without_a_fold_labels_are_those_it_took_no_part_in_and_its_own_cells_have_none():
    own = [[0.25, 1.0], None, [0.0, 0.125]]
    cells = pl.DataFrame(
        {
            "place": [1, 0, 1],
            "label": own,
            "weight": [0.5, None, 1.0],
            "label_without_4": [[0.5, 0.75], None, None],
        },
        schema={
            "place": pl.UInt32,
            "label": pl.Array(pl.Float32, 2),
            "weight": pl.Float32,
            "label_without_4": pl.Array(pl.Float32, 2),
        },
    )
    fields = np.array([[1, 0], [0, 1]], np.float32)
    found = of_cells(cells, fields, lambda at: np.zeros((len(at), 2), np.float32))
    apart = found.leaving_out(4)
    assert apart.targets[0].tolist() == [0.5, 0.75]
    assert apart.targets[1].tolist() == [1, 0], "a cell without a label of its own has its field's"
    assert np.isnan(apart.targets[2]).all()
    assert found.leaving_out(3) is found.leaving_out(None) is found
    some = found.part(np.array([True, False, True]))
    assert np.array_equal(some.leaving_out(4).targets, apart.targets[[0, 2]], equal_nan=True)
