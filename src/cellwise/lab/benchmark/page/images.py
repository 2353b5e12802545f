"""Images for the page: cells whose field says what they do not show, and one whole field.

Cells are drawn by chance among those of labelled fields whose true classes are not their field's
labels, at most two of a field; nobody picks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cellwise.domain.classes import NEGATIVE
from cellwise.domain.tables import CELLS, PREDICTIONS
from cellwise.lab.benchmark.cells import LABELLED, known_cells
from cellwise.lab.benchmark.plan import Task
from cellwise.parts.drawing.images import (
    composite,
    data_link,
    encode,
    limits,
    shrink,
)
from cellwise.stages.report.drawing.lines import outlines
from cellwise.stages.report.step import RunImages
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table

_CELLS = 12
_PER_FIELD = 2
_SIDE = 96
_FIELD_SIDE = 420
_KEY = ["site_id", "cell_id"]
# A cell that shows nothing is as a field says that is labelled with the negative class.
_AS_GIVEN = (
    pl.col("classes").list.sort() == pl.col("given").list.set_difference([NEGATIVE]).list.sort()
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One cell: where it is, its image, what is true, what its field says, what rows say.

    A row says as many classes as are true (at least one): those it gives the highest probability.
    """

    site: str
    cell: int
    image: str
    true: tuple[str, ...]
    given: tuple[str, ...]
    said: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """The images of one world; `rows` are those that speak; `outlines` lies over `field`."""

    rows: tuple[str, ...]
    cells: tuple[Shown, ...]
    field: str
    outlines: str
    caption: str


def examples(folder: Path, task: Task, out: Path, rows: Sequence[str]) -> Examples | None:
    """Images from one run; None where the world has no labelled field or no images.

    Args:
        folder: The world.
        task: The run.
        out: The benchmark's folder.
        rows: The rows whose labels are shown beside the truth.
    """
    known = known_cells(folder, task, out).get(LABELLED)
    if known is None:
        return None
    run = RunFolder(task.run(out))
    table = read_table(run.cells, CELLS).with_row_index("position")
    sites = {site.id: site for site in read_sites(run.sites)}
    sources = RunImages(run, task.draw.images(out), sites, table)
    chosen = _choose(known.keys).join(table.select(*_KEY, "position"), on=_KEY, how="inner")
    if not chosen.height:
        return None
    said = _probabilities(task, run, rows, known.classes)
    cells = _cells(chosen, sources, said, known.classes)
    field, lines, caption = _field(str(chosen["site_id"][0]), known.keys, sources)
    return Examples(tuple(row for row, _ in said), cells, field, lines, caption)


def _choose(keys: pl.DataFrame) -> pl.DataFrame:
    """By chance, among cells whose field says something else."""
    wrong = keys.filter(~_AS_GIVEN)
    mixed = wrong.sample(fraction=1.0, shuffle=True, seed=1)
    mixed = mixed.with_columns(turn=pl.int_range(pl.len()).over("site_id"))
    return mixed.filter(pl.col("turn") < _PER_FIELD).head(_CELLS).drop("turn")


def _probabilities(
    task: Task, run: RunFolder, rows: Sequence[str], classes: Sequence[str]
) -> list[tuple[str, pl.DataFrame]]:
    """Of each row, in order, the probabilities of the classes for every cell."""
    columns = [pl.col(f"Prob_{name}").alias(name) for name in classes]
    decided = {strand.row: strand.decide for strand in task.merged.strands}
    return [
        (
            row,
            read_table(run.path / f"predictions_{decided[row]}.parquet", PREDICTIONS).select(
                *_KEY, *columns
            ),
        )
        for row in rows
        if row in decided
    ]


def _cells(
    chosen: pl.DataFrame,
    sources: RunImages,
    said: Sequence[tuple[str, pl.DataFrame]],
    classes: Sequence[str],
) -> tuple[Shown, ...]:
    pixels = sources.crops(chosen["position"].to_numpy().astype(np.int64))
    if pixels is None:
        return ()
    bounds = limits(pixels, low=2.0, high=99.7)
    keys = chosen.select(_KEY)
    chances = [
        keys.join(frame, on=_KEY, how="left", maintain_order="left").select(classes).to_numpy()
        for _, frame in said
    ]
    shown = []
    for i, cell in enumerate(chosen.to_dicts()):
        colour = composite(pixels[i], sources.crop_channels, bounds)
        true = _words(cell["classes"], classes)
        most = max(1, len(true))
        shown.append(
            Shown(
                cell["site_id"],
                int(cell["cell_id"]),
                data_link(encode(shrink(colour, _SIDE), quality=80)),
                true,
                _words(cell["given"], classes),
                tuple(
                    tuple(classes[c] for c in np.argsort(-chance[i], kind="stable")[:most])
                    for chance in chances
                ),
            )
        )
    return tuple(shown)


def _field(site: str, keys: pl.DataFrame, sources: RunImages) -> tuple[str, str, str]:
    """The field's image, its outlines, and words; empty texts where it cannot be drawn."""
    field, masks = sources.field(site), sources.masks(site)
    if field is None or masks is None:
        return "", "", ""
    colour = composite(field.pixels, field.channels, limits(field.pixels))
    drawn = data_link(encode(shrink(colour, _FIELD_SIDE), quality=82))
    lines = outlines(masks.cells, masks.nuclei, _FIELD_SIDE)
    own = keys.filter(pl.col("site_id") == site)
    given = own["given"].to_list()[0]
    shows = int(own.select(_AS_GIVEN.sum()).item())
    words = (
        f"Field {site}, given label {' + '.join(given)}: {shows} of {own.height} cells show "
        "exactly that."
    )
    return drawn, data_link(lines, "png"), words


def _words(names: Sequence[str] | None, classes: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names or () if name in classes)
