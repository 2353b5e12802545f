"""Outlines of judged cells, and the cells of today's masks that they are.

A verdict is about what a person saw in some pixels. After another segmentation the numbers of cells
mean other cells, so a verdict goes to the cell whose pixels are the same, or to none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.store.run.masks import key_of, mask_path, read_labels

# Above one half no two cells can claim one outline, nor two outlines one cell.
LEAST_IOU = 0.6


@dataclass(frozen=True, slots=True)
class Followed:
    """Verdicts as today's cells have them.

    Args:
        found: The rows that a cell of today has, with its number and the key of its masks.
        moved: How many of them came by their outline.
        lost: `site_id` and `cell_id`, as they were, of cells that are none of today's.
    """

    found: pl.DataFrame
    moved: int
    lost: tuple[tuple[str, int], ...]


def outline_of(labels: npt.NDArray[Any], cell: int) -> list[int]:
    """The pixels of a cell as runs: `y`, first `x` and length of each, one after the other.

    Args:
        labels: `[y, x]`, numbers of cells, 0 for background.
        cell: Its number.

    Returns:
        Three numbers per run, from the top, left to right; empty where the cell is not there.
    """
    rows = np.flatnonzero((labels == cell).any(axis=1))
    if not len(rows):
        return []
    top = int(rows[0])
    inside = np.pad(labels[top : rows[-1] + 1] == cell, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(inside, axis=1)
    y, x = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    runs: list[int] = np.stack([y + top, x, end - x], axis=1).reshape(-1).tolist()
    return runs


def same_cell(labels: npt.NDArray[Any], outline: Sequence[int]) -> int:
    """The cell that has the pixels of an outline, by an IoU of at least `LEAST_IOU`; 0 for none."""
    runs = np.asarray(outline, np.int64).reshape(-1, 3)
    size = int(runs[:, 2].sum())
    height, width = labels.shape
    if not size or (runs < 0).any() or (runs[:, 2] < 1).any():
        return 0
    if (runs[:, 0] >= height).any() or (runs[:, 1] + runs[:, 2] > width).any():
        return 0
    under = np.concatenate([labels[y, x : x + length] for y, x, length in runs.tolist()])
    numbers, counts = np.unique(under[under > 0], return_counts=True)
    if not len(numbers):
        return 0
    best = int(counts.argmax())
    cell, shared = int(numbers[best]), int(counts[best])
    union = size + int((labels == cell).sum()) - shared
    return cell if shared >= LEAST_IOU * union else 0


def followed(rows: pl.DataFrame, masks: Path) -> Followed:
    """Give verdicts to the cells of today's masks.

    Args:
        rows: Of the table of annotations, made with any masks.
        masks: The folder of label images of today.

    Raises:
        FormatError: A label image is torn.
    """
    parts: list[pl.DataFrame] = []
    lost: list[tuple[str, int]] = []
    moved = 0
    for (site,), of_site in rows.group_by(["site_id"], maintain_order=True):
        path = mask_path(masks, str(site), "cells")
        if not path.is_file():
            lost += _cells(of_site)
            continue
        labels = read_labels(path)
        key = key_of(labels)
        parts.append(of_site.filter(pl.col("mask_key") == key))
        others = of_site.filter(pl.col("mask_key").ne_missing(key))
        for _, of_cell in others.group_by(["mask_key", "cell_id"], maintain_order=True):
            outline = of_cell["outline"][0]
            cell = same_cell(labels, [] if outline is None else outline.to_list())
            if not cell:
                lost += _cells(of_cell)
                continue
            moved += len(of_cell)
            parts.append(
                of_cell.with_columns(
                    pl.lit(cell, pl.Int32).alias("cell_id"), pl.lit(key).alias("mask_key")
                )
            )
    return Followed(pl.concat([rows.clear(), *parts]), moved, tuple(sorted(set(lost))))


def _cells(rows: pl.DataFrame) -> list[tuple[str, int]]:
    return [(site, cell) for site, cell in rows.select("site_id", "cell_id").unique().iter_rows()]
