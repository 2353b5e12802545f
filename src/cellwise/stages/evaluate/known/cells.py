"""Predicted cells against known cells: who is who, what is true of each, and what was said of it.

A true cell is found by the predicted cell that overlaps it best, one to one, with an IoU of at
least the threshold. True cells are the units: one that was not found gets the lowest score, so it
ranks last; predicted cells that are no true cell are left out (segmentation figures count them).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.errors import FormatError
from cellwise.kernels.matching import Overlaps, match
from cellwise.measures.bootstrap import Floats
from cellwise.stages.evaluate.field_overlaps import FieldOverlaps, Integers, join_overlaps

Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class TrueCells:
    """What is known of every true cell, in the order of `FieldOverlaps.true_site`.

    Args:
        truth: `[cell, class]`; the negative class is true of a cell that shows nothing.
        ignored: `[cell]`: too much of it is out of view, or the truth does not list it.
        group: `[cell]`: what the bootstrap draws.
        unlisted: How many cells of the masks the truth does not list.
    """

    truth: Bools
    ignored: Bools
    group: Texts
    unlisted: int


@dataclass(frozen=True, slots=True)
class KnownCells:
    """One row per true cell, all arrays `[cell]` or `[cell, class]`.

    Args:
        site_id: Its field.
        cell_id: Its number in the true mask.
        predicted_id: The number of the predicted cell that found it, 0 where none did.
        iou: Overlap with that cell, 0 where none.
        truth: What it shows.
        score: What was said of it; minus infinity where it was not found.
        group: What the bootstrap draws.
        part: Part of its field as the truth says, empty where it does not.
        ignored: Not to be judged.
    """

    site_id: Texts
    cell_id: Integers
    predicted_id: Integers
    iou: Floats
    truth: Bools
    score: Floats
    group: Texts
    part: Texts
    ignored: Bools

    def __len__(self) -> int:
        return len(self.cell_id)

    @property
    def found(self) -> Bools:
        """Whether a predicted cell is this cell."""
        return self.predicted_id > 0

    def chosen(self, rows: Bools) -> "KnownCells":
        """The rows where `rows[cell]` holds."""
        return KnownCells(**{entry.name: getattr(self, entry.name)[rows] for entry in fields(self)})


def cells_against_truth(
    predictions: pl.DataFrame,
    chance: npt.NDArray[np.floating],
    overlaps: Mapping[str, Overlaps],
    *,
    cells: pl.DataFrame,
    sites: pl.DataFrame | None,
    classes: ClassList,
    threshold: float = 0.5,
) -> KnownCells:
    """Match predictions to known cells.

    Args:
        predictions: `site_id` and `cell_id` per row; rows of fields not in `overlaps` are passed
            over.
        chance: `[row, class]`, one score per class of `classes`; higher means more likely.
        overlaps: Per field to be judged, predicted with true masks; a field where nothing was
            predicted has its true cells there and no predicted one.
        cells: `Truth.cells`.
        sites: `Truth.sites`.
        classes: All classes, in the order of `chance`.
        threshold: IoU from which a cell is found.

    Raises:
        FormatError: A row is about a cell that is in no mask, or truth and masks disagree.
    """
    joined = join_overlaps(overlaps)
    known = true_cells(joined, cells, sites, classes=classes)
    place = predicted_places(joined, predictions)
    said = place >= 0
    scores = np.full((len(joined.predicted_site), len(classes)), -np.inf)
    scores[place[said]] = chance[said]
    pairs = match(joined.overlaps, threshold)
    by, iou = np.full(len(known.ignored), -1), np.zeros(len(known.ignored))
    by[pairs[:, 1]] = pairs[:, 0]
    iou[pairs[:, 1]] = _iou_of(joined.overlaps, pairs)
    score = np.full(known.truth.shape, -np.inf)
    score[by >= 0] = scores[by[by >= 0]]
    found = np.where(by >= 0, joined.overlaps.predicted_ids[by] if len(scores) else 0, 0)
    names = np.array(joined.sites, dtype=object)
    parts = _of_sites(joined.sites, sites, "part")
    return KnownCells(
        names[joined.true_site],
        joined.overlaps.true_ids,
        found,
        iou,
        known.truth,
        score,
        known.group,
        parts[joined.true_site],
        known.ignored,
    )


def true_cells(
    joined: FieldOverlaps, cells: pl.DataFrame, sites: pl.DataFrame | None, *, classes: ClassList
) -> TrueCells:
    """What the truth says of every true cell of these fields.

    The group is that of the cell, else that of its field, else the field itself.

    Raises:
        FormatError: `cells.csv` lists a cell that is not in the mask, or an unknown class.
    """
    names = np.array(joined.sites, dtype=object)
    wanted = pl.DataFrame(
        {
            "site_id": pl.Series(names[joined.true_site].tolist(), dtype=pl.String),
            "cell_id": pl.Series(joined.overlaps.true_ids, dtype=pl.Int32),
        }
    )
    listed = cells.filter(pl.col("site_id").is_in(joined.sites))
    missing = listed.join(wanted, on=["site_id", "cell_id"], how="anti")
    if missing.height:
        site, cell = missing.select("site_id", "cell_id").row(0)
        raise FormatError(
            f"The truth's cells.csv lists cell {cell} of field {site}, which is not in its mask "
            f"({missing.height} such rows). Make masks and cells.csv together."
        )
    check_classes(listed, classes.names)
    rows = wanted.join(listed, on=["site_id", "cell_id"], how="left", maintain_order="left")
    known = rows["ignored"].is_not_null().to_numpy()
    truth = np.zeros((len(rows), len(classes)), dtype=bool)
    for c, name in enumerate(classes.names):
        holds = pl.col("classes").list.contains(name)
        if name == classes.negative:
            holds |= pl.col("classes").list.len() == 0
        truth[:, c] = rows.select(holds.fill_null(value=False)).to_series().to_numpy()
    group = _of_sites(joined.sites, sites, "group")
    group = np.where(group == "", names, group)[joined.true_site]
    if "group" in rows.columns:
        own = rows["group"].fill_null("").to_numpy().astype(object)
        group = np.where(own == "", group, own)
    ignored = rows["ignored"].fill_null(value=True).to_numpy()
    return TrueCells(truth, ignored, group, int((~known).sum()))


def predicted_places(joined: FieldOverlaps, predictions: pl.DataFrame) -> Integers:
    """Position among the predicted cells per row, -1 for rows of other fields.

    Raises:
        FormatError: A row of one of these fields is about a cell that is not in the mask.
    """
    names = np.array(joined.sites, dtype=object)
    masks = pl.DataFrame(
        {
            "site_id": pl.Series(names[joined.predicted_site].tolist(), dtype=pl.String),
            "cell_id": pl.Series(joined.overlaps.predicted_ids, dtype=pl.Int32),
        }
    ).with_row_index("place")
    rows = predictions.select(pl.col("site_id"), pl.col("cell_id").cast(pl.Int32)).join(
        masks, on=["site_id", "cell_id"], how="left", maintain_order="left"
    )
    lost = rows.filter(pl.col("place").is_null() & pl.col("site_id").is_in(joined.sites))
    if lost.height:
        site, cell, _ = lost.row(0)
        raise FormatError(
            f"{site}: cell {cell} of the predictions is not in the run's masks. Run it again."
        )
    return rows["place"].cast(pl.Int64).fill_null(-1).to_numpy()


def field_groups(
    joined: FieldOverlaps, known: TrueCells | None, sites: pl.DataFrame | None
) -> Texts:
    """The group of each field: its own, else the one all its cells share, else the field itself."""
    group = _of_sites(joined.sites, sites, "group")
    shared: dict[int, set[str]] = {}
    if known is not None:
        for site, name in zip(joined.true_site.tolist(), known.group.tolist(), strict=True):
            shared.setdefault(site, set()).add(name)
    for place, site in enumerate(joined.sites):
        if group[place] == "":
            common = shared.get(place, set())
            group[place] = next(iter(common)) if len(common) == 1 else site
    return group


def check_classes(cells: pl.DataFrame, names: Iterable[str]) -> None:
    """Refuse truth about classes that are not in the list.

    Raises:
        FormatError: Names the class and a field where it stands.
    """
    listed = list(names)
    words = cells.select("site_id", "classes").explode("classes").drop_nulls()
    unknown = words.filter(~pl.col("classes").is_in(listed))
    if unknown.height:
        site, word = unknown.row(0)
        raise FormatError(
            f"The truth's cells.csv names the class {word!r} (field {site}), which is not in the "
            f"class list: {', '.join(listed)}. Correct it, or list the class in world.json."
        )


def _of_sites(names: tuple[str, ...], sites: pl.DataFrame | None, column: str) -> Texts:
    """A text column of the fields, empty where nothing is said."""
    if sites is None or column not in sites.columns:
        return np.array([""] * len(names), dtype=object)
    said = dict(sites.select("site_id", pl.col(column).fill_null("")).iter_rows())
    return np.array([said.get(name, "") for name in names], dtype=object)


def _iou_of(overlaps: Overlaps, pairs: Integers) -> Floats:
    """The overlap of each matched pair."""
    width = max(len(overlaps.true_ids), 1)
    codes = overlaps.predicted * width + overlaps.true
    order = np.argsort(codes)
    at = np.searchsorted(codes[order], pairs[:, 0] * width + pairs[:, 1])
    return overlaps.iou[order[at]]
