"""Mining a rare class: the cells that look most like those that people know to show it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.tables import CANDIDATES
from cellwise.errors import PreflightError, UsageError
from cellwise.kernels.graphs.adjacency import join
from cellwise.kernels.graphs.neighbours import in_lists, nearest
from cellwise.kernels.graphs.standard import standard_scores
from cellwise.registry import did_you_mean
from cellwise.store.annotations.inherited import inherited_cells
from cellwise.store.annotations.outlines import followed
from cellwise.store.annotations.saves import annotations
from cellwise.store.annotations.sheets import new_sheet, write_sheet
from cellwise.store.annotations.words import NO, YES
from cellwise.store.run.embeddings import embedding_names
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.joined import open_embeddings
from cellwise.store.run.tables import write_table

NEIGHBOURS = 20
LEAST_KNOWN = 3
_KEY = ["site_id", "cell_id"]


@dataclass(frozen=True, slots=True)
class Near:
    """Candidates for a class.

    Args:
        cells: `site_id`, `cell_id`, `x`, `y`, the probability of the class and `known_near`, the
            most alike first.
        known: How many cells are known to show the class.
    """

    cells: pl.DataFrame
    known: int


def find_near(
    path: Path, name: str, count: int, *, embeddings: str = "", least: int = LEAST_KNOWN
) -> dict[str, Any]:
    """Rank the cells near those that people saw showing a class, and write a sheet to judge them.

    A cell is a candidate where at least `least` of its neighbours are known to show the class.
    Neighbours are the 20 nearest cells by an embed step's vectors, and those it is one of. Those
    with more known neighbours come first, then those whose known neighbours are nearer. Cells that
    were judged for the class are none.

    Args:
        path: A finished run with labelled fields and embeddings of cells.
        name: The class.
        count: How many cells at most.
        embeddings: The embed step; the only one where empty.
        least: Known neighbours that make a candidate.

    Returns:
        `known`, `candidates` in all, `listed` and the path of the `sheet`.

    Raises:
        PreflightError: Nothing is known of the class yet, or the run has no embeddings of cells.
        UsageError: No such class or embed step.
    """
    run = RunFolder(path)
    part = _plain(name, _classes(run, name))
    said = followed(annotations(run).filter(pl.col("class") == name), run.masks).found
    near = near_cells(run, name, said, embeddings=embeddings, least=least)
    found = near.cells[:count]
    _write(run, name, part, found)
    sheet = new_sheet(run, f"near-{part}")
    write_sheet(run, sheet, found, drawn=f"near known {name}")
    return {
        "known": near.known,
        "candidates": len(near.cells),
        "listed": len(found),
        "sheet": str(sheet),
    }


def near_cells(
    run: RunFolder,
    name: str,
    said: pl.DataFrame,
    *,
    embeddings: str = "",
    least: int = LEAST_KNOWN,
) -> Near:
    """The candidates for a class, see `find_near`; nothing is written.

    Args:
        run: A finished run with labelled fields and embeddings of cells.
        name: The class.
        said: `site_id`, `cell_id` and `verdict` of today's cells that were judged for it.
        embeddings: The embed step; the only one where empty.
        least: Known neighbours that make a candidate.

    Raises:
        PreflightError, UsageError: As `find_near`.
    """
    _classes(run, name)
    rows = inherited_cells(run).rows.select(*_KEY, "x", "y", f"Prob_{name}")
    kept = open_embeddings(run, _step(run, embeddings))
    place = kept.places(rows)
    rows, place = rows.filter(pl.Series(place >= 0)), place[place >= 0]
    # Who contradicts another person leaves it open what the cell shows.
    refused = _among(rows, said.filter(pl.col("verdict") == NO))
    known = _among(rows, said.filter(pl.col("verdict") == YES)) & ~refused
    if known.sum() < least:
        raise PreflightError(
            f"{run.path}: {int(known.sum())} cells are known to show {name!r}, and a candidate has "
            f"{least} of them near. Judge some first: cellwise audit {run.path} --verdicts FILE"
        )
    near, away = _near_known(standard_scores(kept.read(place)), known)
    open_ = (near >= least) & ~_among(rows, said)
    order = np.lexsort((away[open_], -near[open_]))
    chosen = np.flatnonzero(open_)[order]
    found = rows[chosen].with_columns(pl.Series("known_near", near[chosen], dtype=pl.Int32))
    return Near(found, int(known.sum()))


def _near_known(
    vectors: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """`[cell]`: how many neighbours are known, and the mean distance to the nearest known cells."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    lists = in_lists(vectors)
    found = nearest(np.ascontiguousarray(vectors[lists.order]), count, lists)
    back = np.empty(len(vectors), np.int64)
    back[lists.order] = np.arange(len(vectors))
    graph = join(found)
    near = graph.sums(known[lists.order][:, None].astype(np.float32))[:, 0][back]
    there = vectors[known]
    away = np.full(len(vectors), np.inf)
    for row in np.flatnonzero(near > 0).tolist():
        distances = np.linalg.norm(there - vectors[row], axis=1)
        away[row] = np.sort(distances)[:LEAST_KNOWN].mean()
    return near.astype(np.int64), away


def _among(rows: pl.DataFrame, others: pl.DataFrame) -> npt.NDArray[np.bool_]:
    listed = others.select(_KEY).unique().with_columns(pl.lit(value=True).alias("there"))
    found = rows.select(_KEY).join(listed, on=_KEY, how="left", maintain_order="left")
    return found["there"].fill_null(value=False).to_numpy()


def _write(run: RunFolder, name: str, part: str, found: pl.DataFrame) -> None:
    frame = found.select(
        pl.lit(name).alias("class"),
        pl.lit("near_known").alias("kind"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("rank"),
        *_KEY,
        pl.col(f"Prob_{name}").cast(pl.Float32).alias("before"),
        (pl.col("known_near") / NEIGHBOURS).clip(0, 1).cast(pl.Float32).alias("after"),
        "known_near",
    )
    write_table(run.annotations / f"near-{part}.candidates.parquet", CANDIDATES, frame)


def _classes(run: RunFolder, name: str) -> tuple[str, ...]:
    """The positive classes.

    Raises:
        UsageError: The name is none of them.
    """
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"]).positive
    if name not in classes:
        raise UsageError(
            f"There is no class {name!r} to find.{did_you_mean(name, list(classes))} There is: "
            f"{', '.join(classes)}."
        )
    return classes


def _step(run: RunFolder, named: str) -> str:
    steps = embedding_names(run)
    if named and named not in steps:
        raise UsageError(
            f"There are no embeddings {named!r}.{did_you_mean(named, steps)} "
            f"There is: {', '.join(steps) or 'none'}."
        )
    if not named and len(steps) != 1:
        raise UsageError(
            f"{run.path} has embeddings {', '.join(steps)}: say which with --embeddings."
            if steps
            else f"{run.path} has no embeddings, which say what cells look alike. Take a recipe "
            "with a step 'embed', such as features-quick."
        )
    return named or steps[0]


def _plain(name: str, classes: tuple[str, ...]) -> str:
    """The name of a class as a part of a file's name; of two that differ only in signs, not one."""
    alike = [other for other in classes if _letters(other) == _letters(name)]
    if len(alike) < 2 and _letters(name):
        return _letters(name)
    # A digest: names may differ in capitals, which some disks do not tell apart.
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{_letters(name)}-{mark}".strip("-")


def _letters(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name).strip("-").lower()
