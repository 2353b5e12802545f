"""The smoothest functions on a graph: eigenvectors of its normalised Laplacian.

`L = 1 - D^(-1/2) A D^(-1/2)`, whose eigenvalues lie in 0..2. A block of functions, more than are
wanted, is filtered by Chebyshev polynomials that grow where eigenvalues are small, made orthonormal
and rotated to the eigenvectors of what they span, until `|L v - lambda v|` of each wanted one is
within the tolerance. A block sees eigenvalues that lie close together, which the solvers of one
vector at a time lose when they stop early.

Source: Zhou, Saad, Tiago and Chelikowsky 2006 (J Comput Phys 219), Chebyshev-filtered subspaces.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.kernels.graphs.adjacency import Floats, Graph

Floats64 = npt.NDArray[np.float64]

TOLERANCE = 1e-4
# Functions that are filtered beside those that may be taken, and at least how many in all.
_BESIDE, _MORE = 4, 14
_DEGREE = 10
_MOST_DEGREE = 40
_MOST_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Smoothest:
    """Eigenvalues and eigenvectors of the normalised Laplacian.

    Args:
        values: `[function]`, ascending, in 0..2.
        vectors: `[node, function]`, orthonormal.
        residual: The largest `|L v - lambda v|` among them.
        products: Block products with the graph that they took.
    """

    values: Floats64
    vectors: Floats
    residual: float
    products: int


def smoothest(
    graph: Graph, count: int, *, more: int = 0, tolerance: float = TOLERANCE
) -> Smoothest:
    """The functions of smallest eigenvalue; the same to the last digit on every call.

    Each node has a neighbour. Where the tolerance is not met after many rounds, `residual` says so.

    Args:
        graph: Its nodes.
        count: How many functions, at least 1; at most as many as there are nodes.
        more: Take up to so many more, as far as the widest gap between eigenvalues: functions of
            equal eigenvalues belong together, and which of them come first is chance.
        tolerance: Of the residuals; single precision holds some 1e-6.

    Raises:
        ValueError: More functions than nodes.
    """
    nodes = len(graph)
    if not 1 <= count <= nodes:
        raise ValueError(f"{nodes} nodes have {nodes} functions, not {count}.")
    roots = (1 / np.sqrt(np.maximum(graph.degrees, 1))).astype(np.float32)[:, None]
    width = min(nodes, count + max(more + _BESIDE, _MORE))
    block = np.random.default_rng(0).normal(size=(nodes, width)).astype(np.float32)
    # The one that is known: the root of the degrees.
    block[:, 0] = 1 / roots[:, 0]
    block = _orthonormal(block)
    products = 0
    degree = _DEGREE
    cut = 0.0
    for number in range(_MOST_ROUNDS):
        if number:
            block = _orthonormal(_filtered(graph, roots, block, cut, degree))
            products += degree
        image = roots * graph.sums(roots * block)
        products += 1
        similar, turn = np.linalg.eigh(_product(block, image))
        similar, turn = similar[::-1], turn[:, ::-1].astype(np.float32)
        block, image = block @ turn, image @ turn
        taken = _before_gap(similar, count, min(count + more, width - 1))
        found = similar[:taken].astype(np.float32)
        residual = float(np.max(_lengths(image[:, :taken] - block[:, :taken] * found)))
        if residual <= tolerance or width == nodes:
            break
        cut = float(np.clip(similar[-1], -0.9, 1 - 1e-6))
        # A polynomial may not grow beyond what single precision tells apart, nor need it go on
        # where the functions are within the tolerance.
        most = int(np.clip(8 / max(_growth(1, cut), 1e-9), _DEGREE, _MOST_DEGREE))
        needed = np.log(4 * residual / tolerance) / max(_growth(float(found[-1]), cut), 1e-9)
        degree = int(np.clip(np.ceil(needed), 2, most))
    values = np.clip(1 - similar[:taken], 0, 2)
    return Smoothest(values, block[:, :taken].copy(), residual, products)


def _before_gap(similar: Floats64, least: int, most: int) -> int:
    """How many functions stand before the widest gap; at least `least`, at most `most`."""
    if most <= least:
        return least
    gaps = similar[least - 1 : most] - similar[least : most + 1]
    return least + int(np.argmax(gaps))


def _growth(similarity: float, cut: float) -> float:
    """The logarithm of how much each degree of the polynomial grows at a similarity above `cut`."""
    return float(np.arccosh(max(1 + 2 * (similarity - cut) / (1 + cut), 1)))


def _filtered(graph: Graph, roots: Floats, block: Floats, cut: float, degree: int) -> Floats:
    """The Chebyshev polynomial of `degree` that stays within 1 on similarities -1..`cut`."""
    middle, half = (cut - 1) / 2, (cut + 1) / 2
    # Scaled so that the value at similarity 1 stays about 1.
    scale = half / (1 - middle)
    first = scale
    # Functions times the roots: their mean over neighbours needs no roots, so that a step is one
    # pass over the graph.
    before = roots * block
    now = graph.means(before, before, scale / half, -middle * scale / half, 0)
    for _ in range(degree - 1):
        following = 1 / (2 / first - scale)
        share = 2 * following / half
        # What was two steps before is needed for the last time: the new one takes its place.
        before, now = now, graph.means(now, before, share, -middle * share, -scale * following)
        scale = following
    return now / roots


def _orthonormal(block: Floats) -> Floats:
    """An orthonormal basis of what the functions span."""
    for _ in range(2):
        values, turn = np.linalg.eigh(_product(block, block))
        values = np.maximum(values, values[-1] * 1e-14)
        block = block @ (turn / np.sqrt(values)).astype(np.float32)
    return block


def _product(one: Floats, other: Floats) -> Floats64:
    """`one' other`, symmetric, summed in double precision over blocks of nodes."""
    total = np.zeros((one.shape[1], other.shape[1]))
    for begin in range(0, len(one), 4096):
        rows = slice(begin, begin + 4096)
        total += one[rows].T @ other[rows]
    return (total + total.T) / 2


def _lengths(block: Floats) -> Floats64:
    lengths: Floats64 = np.sqrt(np.einsum("ij,ij->j", block, block, dtype=np.float64))
    return lengths
