"""Score: models look at the cells of every site, or at it as a whole: a logit per positive class.

Reads `cells.parquet` with crops or images, `folds.parquet` and the models; writes
`scores/<step>.parquet` and, where asked, `scores/<step>.maps.npz`. A site with a fold is scored by
the model that left the fold out, any other by the mean of all. Shards under `work/` let a killed
step go on.

Each site's cells go through the network by themselves, so a score does not depend on which sites
were scored together. Threads are an option, not taken from the machine: sums in another order
differ in the last digits.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import CELLS, FOLDS, SCORES
from cellwise.errors import BadOption, FormatError
from cellwise.stages.score import scorers
from cellwise.store.run.embeddings import Embeddings
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.models import check_classes
from cellwise.store.run.tables import empty_frame, read_table, write_table

if TYPE_CHECKING:
    from cellwise.contracts.scorer import Scorer
    from cellwise.parts.panel import Panel
    from cellwise.parts.site_pixels import Look

VERSION = 1
UNIT = "table"
SHELVES = {"by": "cellwise.stages.score"}

# In place of a cell's number, where a row speaks of the whole field.
OF_FIELD = 0
_SITES_AT_ONCE = 64
_KEY = ["site_id", "cell_id"]


@dataclass(frozen=True, slots=True)
class Options:
    """Resolved options of the step; see `build`."""

    model: str
    by: str | dict[str, Any]
    threads: int
    precision: str
    maps: int
    embeddings: str


def build(
    model: str,
    by: str | dict[str, Any] = "cell_net",
    threads: int = 2,
    precision: str = "fp32",
    maps: int = 0,
    embeddings: str = "",
) -> Options:
    """Options of the step.

    Args:
        model: Name of the train step whose models score.
        by: The scorer, a part of this stage.
        threads: Processor threads.
        precision: `fp32`, `bf16`, `fp16` for a GPU, or `auto`: the fastest that the machine has
            units for, so that the last digits depend on the machine.
        maps: Labelled fields whose class maps are kept for the report, where the scorer has any
            (`cam`); each class has its turn.
        embeddings: Name of the embed step whose vectors the scorer `vector_net` looks at.
    """
    from cellwise.parts.precision import check_precision

    if not model:
        raise BadOption("score: model names a train step.")
    if threads < 1:
        raise BadOption("score: threads is at least 1.")
    check_precision("score", precision)
    scorers.check(by)
    if maps < 0:
        raise BadOption(f"score: maps is not negative, as {maps} is.")
    return Options(model, by, threads, precision, maps, embeddings)


def work(job: Job, report: Report) -> dict[str, Any]:
    """Score all cells of the run; returns counts.

    Raises:
        PreflightError: No model, or one of other classes, channels or crops.
        BadOption: The scorer needs models of another unit.
        FormatError: A model is damaged, or the model of a fold is missing.
    """
    from cellwise.parts.panel import load_panel, steady
    from cellwise.parts.precision import resolve

    options, run = build(**job.options), RunFolder(job.run)
    home = run if job.fitted is None else RunFolder(job.fitted)
    precision = resolve(options.precision, job.device)
    panel = load_panel(home, options.model, job.device, precision)
    listed = read_json(home.reading)["classes"]
    check_classes(panel.card, ClassList(tuple(listed["names"]), listed["negative"]).positive)
    scorer = scorers.build(options.by)
    if scorer.unit != panel.card.unit:
        need = {"cell": "crops (task cell or bag)", "site": "fields (task image or puzzle)"}
        raise BadOption(
            f"score: this scorer needs a model of {need[scorer.unit]}; {options.model!r} was "
            f"trained on {need[panel.card.unit]}."
        )
    learned = "vectors" if "length" in panel.card.crop else "pixels"
    if scorer.items != learned or (learned == "vectors" and not options.embeddings):
        raise BadOption(
            f"score: {options.model!r} was trained on {learned}, this scorer shows {scorer.items}. "
            "Models of the task vectors take 'by: vector_net' with 'embeddings: <embed step>'."
        )
    if options.maps and scorer.class_map is None:
        raise BadOption("score: maps are kept by the scorer cam only; leave maps at 0.")
    run.class_maps(job.name).unlink(missing_ok=True)
    cells = read_table(run.cells, CELLS).sort(_KEY)
    if scorer.items == "vectors":
        kept = Embeddings(run.embeddings(options.embeddings))
        kept.check_cells(cells)
        cells = cells.filter(pl.Series(kept.places(cells) >= 0))
    shards = run.temporary / f"{job.name}-{job.key}"
    with steady(options.threads):
        paths = _all_shards(
            job, cells, panel=panel, scorer=scorer, folder=shards, report=report, maps=options.maps
        )
    frames = [read_table(path, SCORES) for path in paths]
    frame = pl.concat(frames) if frames else empty_frame(SCORES, n_classes=len(panel.card.classes))
    write_table(run.scores(job.name), SCORES, frame, classes=panel.card.classes)
    shutil.rmtree(shards, ignore_errors=True)
    what = "cells" if scorer.gives == "cell" else "fields"
    return {what: len(frame), "sites": frame["site_id"].n_unique(), "models": len(panel.models)}


def _all_shards(
    job: Job,
    cells: pl.DataFrame,
    *,
    panel: "Panel",
    scorer: "Scorer",
    folder: Path,
    report: Report,
    maps: int,
) -> list[Path]:
    """One table for every 64 sites, in order; those of an earlier, killed run are taken over."""
    from cellwise.parts.site_pixels import look_at_crops, look_at_fields, look_at_vectors
    from cellwise.stages.score._maps import keep_maps

    run = RunFolder(job.run)
    if cells.is_empty():
        return []
    if scorer.items == "vectors":
        kept = Embeddings(run.embeddings(job.options["embeddings"]))
        look = look_at_vectors(kept, cells, panel.card)
    elif scorer.unit == "cell":
        look = look_at_crops(run, cells, panel.card)
    else:
        look = look_at_fields(job, cells, panel.card)
    folds = _folds(run) if job.fitted is None else {}
    spans = list(_spans(cells))
    paths = []
    for start in range(0, len(spans), _SITES_AT_ONCE):
        path = folder / f"shard{start // _SITES_AT_ONCE:06d}.parquet"
        some = spans[start : start + _SITES_AT_ONCE]
        if not _is_whole(path):
            frames = []
            for number, (site_id, rows) in enumerate(some):
                numbers = cells["cell_id"][rows]
                frames.append(
                    _one(site_id, rows, numbers, fold=folds.get(site_id), panel=panel,
                         scorer=scorer, look=look)
                )  # fmt: skip
                report(start + number + 1, len(spans), "sites")
            write_table(path, SCORES, pl.concat(frames), classes=panel.card.classes)
        report(start + len(some), len(spans), "sites")
        paths.append(path)
    if maps:
        keep_maps(
            job, spans, folds, panel=panel, scorer=scorer, look=look, count=maps, report=report
        )
    return paths


def _one(
    site_id: str,
    rows: slice,
    numbers: pl.Series,
    *,
    fold: int | None,
    panel: "Panel",
    scorer: "Scorer",
    look: "Look",
) -> pl.DataFrame:
    from cellwise.parts.predictor import combine

    chosen = panel.choose(fold)
    pixels_for = look(site_id, rows)
    views = [scorer.score(model.predictor, pixels_for(model)) for model in chosen.models]
    scores = combine(views)
    if scorer.gives == "site":
        numbers = pl.Series([OF_FIELD], dtype=pl.Int32)
    vector = pl.Array(pl.Float32, len(panel.card.classes))
    return pl.DataFrame(
        {
            "unit": [scorer.gives] * len(numbers),
            "site_id": [site_id] * len(numbers),
            "cell_id": numbers,
            "fold": pl.Series([chosen.fold] * len(numbers), dtype=pl.Int32),
            "model": [chosen.name] * len(numbers),
            "score": pl.Series(scores.logits.numpy(), dtype=vector),
            "spread": pl.Series(scores.spread.numpy(), dtype=vector),
        }
    )


def _spans(cells: pl.DataFrame) -> Iterator[tuple[str, slice]]:
    """Each site with the rows of its cells; the table is sorted by site."""
    sites = cells["site_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, sites[1:] != sites[:-1]])
    for start, stop in zip(starts, np.r_[starts[1:], len(sites)], strict=True):
        yield str(sites[start]), slice(int(start), int(stop))


def _folds(run: RunFolder) -> dict[str, int]:
    if not run.folds.is_file():
        return {}
    frame = read_table(run.folds, FOLDS).filter(pl.col("fold").is_not_null())
    return dict(frame.select("site_id", "fold").iter_rows())


def _is_whole(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        read_table(path, SCORES)
    except FormatError:
        return False
    return True
