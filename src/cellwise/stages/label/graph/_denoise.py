"""One graph of cells: built, made smooth on, or walked on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Flags, Floats
from cellwise.errors import PreflightError
from cellwise.kernels.graphs.adjacency import Graph, join
from cellwise.kernels.graphs.neighbours import in_lists, nearest
from cellwise.kernels.graphs.principal import principal
from cellwise.kernels.graphs.smooth import TOLERANCE, smoothest
from cellwise.stages.label.graph._alternation import alternated
from cellwise.stages.label.graph._candidates import known_near
from cellwise.stages.label.graph._diffusion import out_of_group

Numbers = npt.NDArray[np.int64]

ONE_LABEL, SPECTRAL, DIFFUSION = "one_label", "spectral", "diffusion"
_CELLS_OF_FUNCTION = 4
METHODS = (DIFFUSION, SPECTRAL, ONE_LABEL)


@dataclass(frozen=True, slots=True)
class Settings:
    """How graphs are made and what is done on them; see the options of the labeller."""

    method: str
    neighbours: int
    cut: str
    numbers: int
    scale: bool
    reach: float
    functions: int
    more: int
    penalty: float
    slack: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one graph.

    Args:
        vectors: `[cell, number]`, none without any number.
        start: `[cell, class]`, what is said of them before.
        known: `[cell]`, whether anything is.
        sure: `[cell, class]`, which cells are known to show the class.
        apart: `[cell]`, cells of one number are never joined; None where all may be.
        fold: `[cell]`, cells of one number do not hear each other's labels.
        blocks: Of how many numbers each part of the vectors consists; empty where they are one.
    """

    vectors: Floats
    start: Floats
    known: Flags
    sure: Flags
    apart: Numbers | None
    fold: Numbers
    blocks: Sequence[int] = ()

    def of(self, rows: Numbers) -> "Cells":
        """Some of them; all of them without a copy of their vectors."""
        every = len(rows) == len(self.vectors)
        return Cells(
            self.vectors if every else self.vectors[rows],
            self.start[rows],
            self.known[rows],
            self.sure[rows],
            None if self.apart is None else self.apart[rows],
            self.fold[rows],
            self.blocks,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """What one graph says.

    Args:
        held: `[cell]`, whether the graph says anything of the cell.
        values: `[cell, class]`, at least 0; with one label per cell the last column is "nothing".
        near: `[cell, class]`, neighbours known to show the class.
        facts: Of the graph.
    """

    held: Flags
    values: Floats
    near: Floats
    facts: Mapping[str, Any]


def denoised(cells: Cells, settings: Settings, seed: int) -> Made:
    """What the graph of these cells says of each.

    Raises:
        PreflightError: All vectors are the same, or the smoothest functions were not found.
    """
    count, classes = cells.start.shape
    wide = classes + (settings.method == ONE_LABEL)
    none = Made(
        np.zeros(count, bool),
        np.zeros((count, wide), np.float32),
        np.zeros((count, classes), np.float32),
        {},
    )
    if count < 3:
        return none
    try:
        points = principal(
            cells.vectors, settings.numbers, scale=settings.scale, blocks=cells.blocks, seed=seed
        )
    except ValueError as error:
        raise PreflightError(
            f"label graph: the vectors of all {count:,} cells are the same, so nothing is near "
            "anything. See what the embed step was given; a network that learned nothing gives "
            "such vectors."
        ) from error
    lists = in_lists(points, seed)
    order = lists.order
    apart = None if cells.apart is None else cells.apart[order]
    graph = join(nearest(points[order], min(settings.neighbours, count - 1), lists, apart))
    components = graph.components()
    sizes = np.bincount(components)
    # A part needs a function of its own, and a cell alone has no neighbours to hear.
    inside: Flags = np.asarray((sizes[components] > 1) & (components < settings.functions))
    facts = {
        "edges": len(graph.ends) // 2,
        "components": len(sizes),
        "cells_apart": int((~inside).sum()),
    }
    if not inside.any():
        return none
    kept = order[inside]
    graph = graph if inside.all() else graph.part(inside)
    parts = int(components[inside].max()) + 1
    values, more = _values(graph, cells, kept, parts, settings)
    near = known_near(graph, cells.sure[kept])
    heard: Flags = np.asarray(np.isfinite(values).all(axis=1))
    none.held[kept] = heard
    none.values[kept] = np.where(heard[:, None], values, 0)
    none.near[kept] = near
    return Made(none.held, none.values, none.near, facts | more)


def _values(
    graph: Graph, cells: Cells, kept: Numbers, parts: int, settings: Settings
) -> tuple[Floats, dict[str, Any]]:
    start, known = cells.start[kept], cells.known[kept].astype(np.float32)
    if settings.method == DIFFUSION:
        return out_of_group(graph, start, known, cells.fold[kept], settings.reach), {}
    if settings.method == ONE_LABEL:
        start = np.concatenate([start, 1 - start.max(axis=1, keepdims=True)], axis=1)
    # As many functions as cells would leave nothing to smooth; each part needs one of its own.
    most = max(len(kept) // _CELLS_OF_FUNCTION, parts)
    more = settings.more if most >= settings.functions else 0
    found = smoothest(graph, min(settings.functions, most), more=more)
    if found.residual > 10 * TOLERANCE:
        raise PreflightError(
            f"label graph: the smoothest functions on {len(kept):,} cells were not found "
            f"(residual {found.residual:.1g}). Ask for fewer of them (functions), or take the "
            "method diffusion, which needs none."
        )
    labels, rounds = alternated(
        found, start, penalty=settings.penalty, slack=settings.slack, rounds=settings.rounds
    )
    return labels, {
        "functions": len(found.values),
        "largest_eigenvalue": round(float(found.values[-1]), 6),
        "residual": float(f"{found.residual:.2g}"),
        "rounds": rounds,
    }
