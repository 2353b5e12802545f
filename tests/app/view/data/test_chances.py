"""Probabilities as a matrix and as lists of the likeliest say the same."""

import numpy as np
import polars as pl
import pytest

from cellwise.app.view.data.chances import chances


def matrix(values, names):
    columns = {
        f"Prob_{name}": pl.Series(column, dtype=pl.Float32)
        for name, column in zip(names, zip(*values, strict=True), strict=True)
    }
    return pl.DataFrame(columns)


def test_the_likeliest_class_of_each_cell():
    found = chances(matrix([(0.2, 0.7), (0.9, 0.1), (None, None)], ("a", "b")))
    assert found.classes == ("a", "b")
    assert found.best.tolist() == [1, 0, -1]
    np.testing.assert_allclose(found.most, [0.7, 0.9, np.nan], rtol=1e-6)
    assert [code for code, _ in found.of_cell(0)] == [1, 0]
    assert [value for _, value in found.of_cell(0)] == pytest.approx([0.7, 0.2])
    assert found.of_cell(2) == []


def test_a_thousand_classes_come_as_lists_of_the_likeliest():
    names = [f"siRNA {n}" for n in range(1108)]
    rng = np.random.default_rng(0)
    full = rng.random((30, 1108), np.float32)
    order = np.argsort(-full, axis=1)[:, :10]
    frame = pl.DataFrame(
        {
            "top_classes": [[names[code] for code in row] for row in order],
            "top_probs": np.take_along_axis(full, order, 1).tolist(),
        },
        schema_overrides={"top_probs": pl.List(pl.Float32)},
    )
    found = chances(frame, tuple(names))
    assert found.classes == tuple(names)
    np.testing.assert_array_equal(found.best, full.argmax(1))
    np.testing.assert_array_equal(found.most, full.max(1))
    code = int(order[4, 7])
    expected = np.where((order == code).any(1), full[:, code], np.nan)
    np.testing.assert_array_equal(found.of_class(code), expected)
    assert [code for code, _ in found.of_cell(4)] == order[4].tolist()


def test_classes_that_only_the_lists_name_are_known_too():
    frame = pl.DataFrame(
        {"top_classes": [["z", "a"], [], None], "top_probs": [[0.6, 0.4], [], None]},
        schema_overrides={
            "top_classes": pl.List(pl.String),
            "top_probs": pl.List(pl.Float32),
        },
    )
    found = chances(frame, ("a",))
    assert found.classes == ("a", "z")
    assert found.best.tolist() == [1, -1, -1]


def test_a_table_without_classes_says_nothing():
    found = chances(pl.DataFrame({"site_id": ["s", "s"]}))
    assert (found.classes, found.best.tolist()) == ((), [-1, -1])
