"""Cells as points: the two directions in which their vectors differ most, or a map by UMAP.

The vectors are those of an embed step, else the measured features. Components are fitted to a
sample of cells and all are laid along them a part at a time, so that no matrix of all is needed.
UMAP is given the first components, see `view.layouts`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.cells import Cells
from cellwise.app.view.data.kept import Kept
from cellwise.app.view.layouts.layouts import HOW, Layouts, State, installed
from cellwise.domain.tables import CELLS
from cellwise.errors import FormatError, UsageError
from cellwise.store.run.embeddings import Embeddings, embedding_names
from cellwise.store.run.tables import read_table

MEASURED = "measured features"
"""The name of the map of what was measured of cells."""

UMAP = " (UMAP)"
"""What follows the name of vectors in the name of their map by UMAP."""

Floats = npt.NDArray[np.float32]
_SAMPLE = 4000
_ROWS = 20_000
_COLUMNS = 50
# Beyond so many deviations a number says no more: a few broken cells would else be the whole map.
_FARTHEST = 5.0
# Components that UMAP is given: beyond them there is noise mostly.
_GIVEN = 30
# Nearly all cells lie in 0..SIDE on the longer axis, the others at most half of it beyond.
SIDE = 1000.0
_PLACED = ("x", "y", "area")


class Scatter:
    """Maps of the cells of one run.

    Args:
        cells: The cells.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._kept: Kept[Floats] = Kept(4)
        self.layouts = Layouts(lambda name: self._numbers(name, _GIVEN))

    def names(self) -> list[str]:
        """The maps that there are: embed steps first, then `MEASURED`."""
        found = embedding_names(self._cells.run) if len(self._cells) else []
        return [*found, *([MEASURED] if len(self._cells) and len(self._features()) > 1 else [])]

    def places(self, name: str) -> Floats:
        """`[cell, (x, y)]`, NaN for cells without a place; see `SIDE`.

        Raises:
            UsageError: There is no such map, or it is one by UMAP that is not there yet.
            FormatError: Its vectors cannot be read.
        """
        vectors = name.removesuffix(UMAP)
        if vectors not in self.names():
            raise UsageError(f"This run has no map {name[:80]!r} of cells.")
        if vectors == name:
            return self._kept.give(name, lambda: _scaled(self._numbers(name, 2)))
        state = self.layouts.known(vectors)
        if state is None or state.points is None:
            raise UsageError(
                f"The map {name!r} is not computed yet. Open it on the page of the map first."
            )
        points = state.points
        return self._kept.give(name, lambda: _scaled(points))

    def umap(self, name: str) -> State:
        """How far the map by UMAP of these vectors is, begun where nobody asked before.

        Raises:
            UsageError: There are no such vectors, or the extra is not installed.
        """
        if name not in self.names():
            raise UsageError(f"This run has no map {name[:80]!r} of cells.")
        if not installed():
            raise UsageError(HOW)
        return self.layouts.ask(name)

    def _numbers(self, name: str, axes: int) -> Floats:
        """`[cell, component]`, NaN for cells without a vector."""
        return self._measured(axes) if name == MEASURED else self._embedded(name, axes)

    def inside(self, name: str, corners: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which cells lie in a polygon `[corner, (x, y)]` of a map.

        Raises:
            UsageError: There is no such map.
        """
        from skimage.measure import points_in_poly

        points = self.places(name or next(iter(self.names()), ""))
        known = np.isfinite(points).all(1)
        found = np.zeros(len(points), bool)
        found[known] = points_in_poly(points[known].astype(np.float64), corners)
        return found

    def _features(self) -> list[str]:
        """Columns of the cells table that were measured in pixels."""
        return [name for name in self._cells.columns() if "_" in name and name not in _PLACED]

    def _embedded(self, name: str, count: int) -> Floats:
        kept = Embeddings(self._cells.run.embeddings(name))
        ids = pl.Series("site_id", self._cells.fields.ids, pl.String)
        keys = pl.DataFrame(
            {"site_id": ids.gather(self._cells.site), "cell_id": self._cells.cell}
        ).with_columns(pl.col("cell_id").cast(kept.index.schema["cell_id"]))
        places = kept.places(keys)
        there = np.flatnonzero(places >= 0)
        if len(there) < 3:
            raise FormatError(f"Embeddings {name!r} hold no vectors of these cells.")

        def parts() -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
            for start in range(0, len(there), _ROWS):
                rows = there[start : start + _ROWS]
                yield rows, kept.read(places[rows])

        sample = there[:: max(1, len(there) // _SAMPLE)]
        return _laid(kept.read(places[sample]), parts, len(self._cells), count)

    def _measured(self, directions: int) -> Floats:
        names, count = self._features(), len(self._cells)
        chosen = np.arange(0, count, max(1, count // _SAMPLE))
        sample = np.empty((len(chosen), len(names)), np.float32)
        for columns, values in self._column_parts(names):
            sample[:, columns] = values[chosen]
        middle, width = _spread(sample)
        axes = _components(_standard(sample, middle, width), directions)
        found = np.zeros((count, axes.shape[1]), np.float32)
        for columns, values in self._column_parts(names):
            found += _standard(values, middle[columns], width[columns]) @ axes[columns]
        return found

    def _column_parts(self, names: list[str]) -> Iterator[tuple[slice, Floats]]:
        said = read_table(self._cells.run.cells, CELLS, columns=["site_id"])["site_id"]
        known = said.is_in(list(self._cells.fields.ids))
        own = [name for name in names if name in _stored(self._cells)]
        for start in range(0, len(names), _COLUMNS):
            part = slice(start, min(start + _COLUMNS, len(names)))
            wanted = [name for name in names[part] if name in own]
            table = read_table(self._cells.run.cells, CELLS, columns=wanted).filter(known)
            values = np.full((table.height, part.stop - part.start), np.nan, np.float32)
            for place, name in enumerate(names[part]):
                if name in own:
                    values[:, place] = table[name].cast(pl.Float32).fill_null(np.nan).to_numpy()
            yield part, values


def _stored(cells: Cells) -> set[str]:
    return set(pl.scan_parquet(cells.run.cells).collect_schema().names())


def _laid(
    sample: Floats,
    parts: Callable[[], Iterator[tuple[npt.NDArray[np.int64], Floats]]],
    count: int,
    directions: int,
) -> Floats:
    middle, width = _spread(sample)
    # Numbers of one network share a scale, and those that vary most say most: they keep it.
    axes = _components(_standard(sample, middle, width) * width, directions)
    found = np.full((count, axes.shape[1]), np.nan, np.float32)
    for rows, values in parts():
        found[rows] = (_standard(values, middle, width) * width) @ axes
    return found


def _spread(sample: Floats) -> tuple[Floats, Floats]:
    """Median and deviation of each number; of one that does not vary the deviation is 0."""
    clean = np.where(np.isfinite(sample), sample, np.nan)
    empty = ~np.isfinite(clean).any(0)
    clean[:, empty] = 0
    middle = np.nanmedian(clean, axis=0)
    return middle.astype(np.float32), np.nanstd(clean, axis=0).astype(np.float32)


def _standard(values: Floats, middle: Floats, width: Floats) -> Floats:
    safe = np.where(width > 0, width, 1)
    shares = np.where(width > 0, (values - middle) / safe, 0)
    return np.asarray(np.clip(np.nan_to_num(shares, nan=0.0), -_FARTHEST, _FARTHEST), np.float32)


def _components(standard: Floats, count: int = 2) -> Floats:
    """The main directions `[number, count]`, fewer of fewer numbers, two at least.

    Their sign is settled, so that a map comes again.
    """
    centred = standard.astype(np.float64) - standard.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :count]
    if axes.shape[1] < 2:
        axes = np.concatenate([axes, np.zeros((len(axes), 2 - axes.shape[1]))], 1)
    largest = np.abs(axes).argmax(0)
    signs = np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1, 1)
    return np.asarray(axes * signs, np.float32)


def _scaled(points: Floats) -> Floats:
    low, high = np.nanpercentile(points, (0.5, 99.5), axis=0)
    scale = SIDE / max(float((high - low).max()), 1e-9)
    spare = (SIDE - (high - low) * scale) / 2
    placed = (points - low) * scale + spare
    return np.asarray(np.clip(placed, -SIDE / 2, 1.5 * SIDE).round(1), np.float32)
