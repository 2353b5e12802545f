"""The smoothest functions against a dense solver, where solvers of one vector go wrong."""

import numpy as np
import pytest

from cellwise.kernels.graphs.adjacency import join
from cellwise.kernels.graphs.neighbours import in_lists, nearest
from cellwise.kernels.graphs.smooth import smoothest


def _graph(count, clusters, spread, neighbours, seed=0):
    rng = np.random.default_rng(seed)
    points = spread * rng.normal(size=(clusters, 6))[rng.integers(clusters, size=count)]
    points = (points + rng.normal(size=points.shape)).astype(np.float32)
    return join(nearest(points, neighbours, in_lists(points)))


def _dense(graph):
    matrix = graph.sums(np.eye(len(graph), dtype=np.float32)).astype(np.float64)
    roots = 1 / np.sqrt(graph.degrees)
    return np.eye(len(graph)) - roots[:, None] * matrix * roots


# Far clusters: as many eigenvalues near 0 as clusters, equal but for rounding.
@pytest.mark.parametrize("spread", [0.0, 1.5, 30.0])
def test_eigenpairs_are_those_of_a_dense_solver(spread):
    graph = _graph(700, 25, spread, 8)
    found, dense = smoothest(graph, 20), _dense(graph)
    assert found.residual <= 1e-4
    assert np.allclose(found.values, np.linalg.eigvalsh(dense)[:20], atol=2e-5)
    assert np.allclose(found.vectors.T @ found.vectors, np.eye(20), atol=1e-5)
    left = dense @ found.vectors - found.vectors * found.values
    assert np.linalg.norm(left, axis=0).max() < 2e-4


def test_functions_are_taken_up_to_the_widest_gap():
    graph = _graph(700, 25, 30.0, 8)
    apart = int(graph.components().max()) + 1
    found = smoothest(graph, 20, more=10)
    assert len(found.values) == apart == 25
    # What they span is then no matter of chance: it holds all that is constant on each part.
    constant = np.sqrt(graph.degrees) * (graph.components() == 3)
    assert np.allclose(found.vectors @ (found.vectors.T @ constant), constant, atol=1e-3)


def test_two_calls_agree_to_the_last_digit_and_few_nodes_have_all_their_functions():
    graph = _graph(300, 3, 2.0, 5)
    first, again = smoothest(graph, 12), smoothest(graph, 12)
    assert np.array_equal(first.vectors, again.vectors)
    few = _graph(12, 2, 1.0, 3)
    assert np.allclose(smoothest(few, 12).values, np.linalg.eigvalsh(_dense(few)), atol=1e-5)
    with pytest.raises(ValueError, match="not 13"):
        smoothest(few, 13)
