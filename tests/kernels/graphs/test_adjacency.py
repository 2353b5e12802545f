"""Graphs against dense matrices."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.graphs.adjacency import join


@st.composite
def named_neighbours(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    count, width = draw(st.integers(2, 30)), draw(st.integers(1, 9))
    rows = [rng.permutation(np.delete(np.arange(count), i))[:width] for i in range(count)]
    found = np.full((count, width), -1, np.int32)
    for i, row in enumerate(rows):
        kept = row[rng.random(len(row)) < 0.6]
        found[i, : len(kept)] = kept
    return found


def _dense(neighbours):
    matrix = np.zeros((len(neighbours),) * 2, bool)
    for i, row in enumerate(neighbours):
        matrix[i, row[row >= 0]] = True
    return matrix | matrix.T


@settings(max_examples=60)
@given(named_neighbours(), st.integers(0, 2**31))
def test_a_graph_is_its_matrix(neighbours, seed):
    graph, matrix = join(neighbours), _dense(neighbours)
    values = np.random.default_rng(seed).normal(size=(len(matrix), 3)).astype(np.float32)
    assert np.array_equal(graph.degrees, matrix.sum(1))
    assert np.allclose(graph.sums(values), matrix @ values, atol=1e-5)
    means = matrix @ values / np.maximum(matrix.sum(1, keepdims=True), 1)
    wanted = 0.7 * means - 0.2 * values + 1.3 * values[::-1]
    assert np.allclose(graph.means(values, values[::-1], 0.7, -0.2, 1.3), wanted, atol=1e-5)
    chosen = values[:, 0] > 0
    part = graph.part(chosen)
    inner = matrix[np.ix_(chosen, chosen)]
    assert np.allclose(part.sums(values[chosen]), inner @ values[chosen], atol=1e-5)


def test_parts_of_a_graph_are_numbered_by_size():
    neighbours = np.array([[1], [0], [3], [4], [2], [-1]], np.int32)
    assert join(neighbours).components().tolist() == [1, 1, 0, 0, 0, 2]
