"""The cells of a run that a stranger's vectors belong to.

A field is named by its id, its id as the images' folder writes it, or one of its images, with or
without folders and in any case, as masks are; a name that fits two fields is refused. Names that
fit none are counted; a cell that its field does not have is refused, because then the vectors are
of other cells, or the run was segmented again since they were made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.store.embeddings.files import Brought
from cellwise.store.masks.names import ids_of, image_paths, names_in_table, stems_of
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_key
from cellwise.store.run.tables import read_table

_KEY = ["site_id", "cell_id"]
_AT_ONCE = 1 << 26
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Matched:
    """Whose the vectors of a file are.

    Args:
        rows: Columns `site_id`, `cell_id` (null for a whole site) and `row` of the file, and what
            the file has to check; sorted by the first two.
        spans: Where in `rows` each field's lie.
        strangers: Names in the file that fit no field, sorted.
    """

    rows: pl.DataFrame
    spans: dict[str, tuple[int, int]]
    strangers: tuple[str, ...]

    def of(self, site_id: str) -> tuple[pl.Series, npt.NDArray[np.int64]]:
        """Numbers of the cells of a field, rising, and the rows of the file that they lie in."""
        start, stop = self.spans.get(site_id, (0, 0))
        some = self.rows[start:stop]
        return some["cell_id"], some["row"].to_numpy().astype(np.int64)


def match_sites(brought: Brought, sites: Path) -> Matched:
    """Find the fields that a file names.

    Args:
        brought: The opened file.
        sites: The run's table of sites.

    Raises:
        PreflightError: No name fits, a name fits two fields, or two names of the file fit one and
            give the same cell twice.
    """
    names = _Names(sites)
    words = brought.keys["site"].unique().sort().to_list()
    found = {word: names.find(word) for word in words}
    unclear = [word for word, site in found.items() if site == ""]
    if unclear:
        raise PreflightError(
            f"{brought.path}: {unclear[0]!r} fits two fields of the run ({len(unclear):,} such "
            "names). Write the field's id, or its folder too, as the images have it."
        )
    strangers = tuple(word for word, site in found.items() if site is None)
    if len(strangers) == len(words):
        raise PreflightError(
            f"No name in {brought.path} fits a field of the run: there is "
            f"{', '.join(words[:3])}, and the fields are {', '.join(names.ids[:3])}. "
            "Give --set embed.site=COLUMN if another column names them."
        )
    rows = brought.keys.with_row_index("row").with_columns(
        pl.col("site").replace_strict(found, return_dtype=pl.String).alias("site_id"),
        pl.col("cell").cast(pl.Int32, strict=False).alias("cell_id"),
    )
    rows = rows.filter(pl.col("site_id").is_not_null()).sort(_KEY)
    twice = rows.filter(rows.select(_KEY).is_duplicated())
    if twice.height:
        one, other = twice["site"][:2].to_list()
        raise PreflightError(
            f"{brought.path}: {one!r} and {other!r} are the same field, and both have cell "
            f"{twice['cell'][0]}. Keep one of them."
        )
    return Matched(rows, _spans(rows["site_id"]), strangers)


def check_cells(brought: Brought, matched: Matched, run: RunFolder, cells: pl.DataFrame) -> None:
    """Refuse vectors of other cells than those of the run, before any is taken.

    Args:
        brought: The opened file.
        matched: Its rows with their fields.
        run: The run folder, for masks.
        cells: Columns `site_id`, `cell_id` and `area` of all cells of the fields to be embedded.

    Raises:
        PreflightError: A cell is not there, has another area, its field another number of cells
            or other masks than when the vectors were made.
    """
    # A field without any cell was set aside, or is empty: its vectors are not taken.
    held = cells.select("site_id").unique()
    rows = matched.rows.filter(pl.col("cell_id").is_not_null())
    rows = rows.join(held, on="site_id", how="semi", maintain_order="left")
    strange = rows.join(cells, on=_KEY, how="anti")
    if strange.height:
        raise _changed(brought, strange, f"cell {strange['cell_id'][0]} is not there")
    both = rows.join(cells.select(*_KEY, pl.col("area").alias("_area")), on=_KEY, how="inner")
    if "area" in rows.columns:
        odd = both.filter(pl.col("area") != pl.col("_area"))
        if odd.height:
            said = f"cell {odd['cell_id'][0]} has {odd['_area'][0]} pixels, not {odd['area'][0]}"
            raise _changed(brought, odd, said)
    if "n_cells" in rows.columns:
        counts = cells.group_by("site_id").agg(pl.len().alias("_count"))
        odd = rows.join(counts, on="site_id").filter(pl.col("n_cells") != pl.col("_count"))
        if odd.height:
            said = f"it has {odd['_count'][0]} cells, not {odd['n_cells'][0]}"
            raise _changed(brought, odd, said)
    if "mask_key" in rows.columns:
        for site_id, key in rows.select("site_id", "mask_key").drop_nulls().unique().iter_rows():
            if mask_key(run.masks, site_id) != key:
                odd = rows.filter(pl.col("site_id") == site_id)
                raise _changed(brought, odd, "its masks are others than the file says")


def check_numbers(brought: Brought, matched: Matched) -> None:
    """Refuse NaN and infinities, by cell, before any vector is taken.

    Raises:
        PreflightError: With the first such cell.
    """
    rows = np.sort(matched.rows["row"].to_numpy().astype(np.int64))
    step = max(1, _AT_ONCE // (4 * brought.length))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        odd = np.flatnonzero(~np.isfinite(brought.read(some)).all(1))
        if len(odd):
            where = matched.rows.filter(pl.col("row") == int(some[odd[0]])).row(0, named=True)
            cell = "" if where["cell_id"] is None else f" of cell {where['cell_id']}"
            raise PreflightError(
                f"{brought.path}: the vector{cell} of {where['site_id']} holds NaN or an infinity. "
                "Leave such cells out, or make their vectors again."
            )


def _spans(sites: pl.Series) -> dict[str, tuple[int, int]]:
    """Where each value of a sorted column begins and ends."""
    runs = sites.rle().struct.unnest()
    stops = np.cumsum(runs["len"].to_numpy().astype(np.int64))
    starts = stops - runs["len"].to_numpy()
    return {
        name: (int(start), int(stop))
        for name, start, stop in zip(runs["value"], starts, stops, strict=True)
    }


def _changed(brought: Brought, odd: pl.DataFrame, what: str) -> PreflightError:
    sites = odd["site_id"].unique(maintain_order=True).to_list()
    more = f", {', '.join(sites[1:_NAMED])}" if len(sites) > 1 else ""
    return PreflightError(
        f"{brought.path} holds embeddings of other cells: in {sites[0]} {what} ({odd.height:,} "
        f"rows of {len(sites):,} fields differ: {sites[0]}{more}). The run was segmented again "
        "since, or with other masks: make the embeddings again from this run's masks."
    )


class _Names:
    """All names of all fields of a run."""

    def __init__(self, table: Path) -> None:
        owners = names_in_table(table)
        frame = read_table(table, SITES)
        frame = frame.group_by("site_id", maintain_order=True).agg(
            pl.col("raw_id").first(), pl.col("paths").explode()
        )
        self.ids: list[str] = frame["site_id"].to_list()
        self._exact: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        for site_id, raw_id, paths in frame.iter_rows():
            for name in _names_of(site_id, raw_id, paths or []):
                owner = owners.shared.get(name, site_id)
                self._exact[name] = owner or ""
                folded = self._folded.setdefault(name.casefold(), owner or "")
                if folded != owner:
                    self._folded[name.casefold()] = ""

    def find(self, word: str) -> str | None:
        """The field that is meant; an empty text where it may be two, None where it is none."""
        if word in self._exact:
            return self._exact[word]
        return self._folded.get(word.casefold())


def _names_of(site_id: str, raw_id: str, paths: Iterable[str]) -> list[str]:
    names = ids_of(site_id, raw_id)
    for path in image_paths(paths):
        names += [path, path.rpartition("/")[2], *stems_of(path)]
    return list(dict.fromkeys(names))
