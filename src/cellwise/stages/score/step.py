"""Score: models look at the cells of every site, or at it as a whole: a logit per positive class.

Reads `cells.parquet` with crops or images, `folds.parquet` and the models; writes
`scores/<step>.parquet` and, where asked, `scores/<step>.maps.npz`. A site with a fold is scored by
the model that left the fold out, any other by the mean of all.

Each site's cells go through the network by themselves, so a score does not depend on which sites
were scored together. Threads are an option, not taken from the machine: sums in another order
differ in the last digits.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.records import Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.domain.tables import CELLS, SCORES
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption, InputError
from cellwise.stages.score import scorers
from cellwise.stages.score._foresight import foresight_of
from cellwise.stages.score._sites import score_site, score_whole_sites
from cellwise.stages.score._tables import folds_of, places_of, vectors_of
from cellwise.stages.score.spec import Options
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.models import CARD_FILE, check_classes, verify_model
from cellwise.store.run.scores import as_stored
from cellwise.store.run.shards import Shards
from cellwise.store.run.tables import empty_frame, read_table, rows_of_sites

if TYPE_CHECKING:
    from cellwise.contracts.scorer import Scorer
    from cellwise.parts.panel import Panel
    from cellwise.parts.site_pixels import PixelLoader
    from cellwise.stages.score._memory import FieldScores

_KEY = ["site_id", "cell_id"]


class _Opened(NamedTuple):
    """What every batch needs: the models and who asks them."""

    panel: "Panel"
    scorer: "Scorer"


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse a scorer that cannot be made, and torn models of a finished run, before any work.

    Raises:
        BadOption: The scorer refuses its options, or maps are asked for and it has none.
        FormatError: A model is damaged.
    """
    chosen = Options.of(options)
    scorer = scorers.build(chosen.by)
    if chosen.maps and scorer.class_map is None:
        raise BadOption("score: maps are kept by the scorer cam only; leave maps at 0.")
    if job.fitted is None:
        return
    home = RunFolder(job.fitted).model(chosen.model, None).parent
    for card in sorted(home.glob(f"*/{CARD_FILE}")):
        verify_model(card.parent)


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse new images that lack a channel of the models to be applied; name further ones."""
    return foresight_of(job, Options.of(job.options), folder)


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core that scoring a folder will take, from a few fields of it."""
    from cellwise.stages.score._forecast import forecast_scoring

    return forecast_scoring(job, Options.of(job.options), trial)


def work(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """Score the cells of these sites.

    Raises:
        PreflightError: No model, or one of other classes, channels or crops.
        BadOption: The scorer needs models of another unit.
        FormatError: A model is damaged, or the model of a fold is missing.
    """
    from cellwise.parts.panel import steady

    run, opened = RunFolder(job.run), _opened(job)
    if opened.scorer.items == "tiles":
        records, frames = score_whole_sites(sites, job, opened.panel, opened.scorer)
        _write(job, sites, [_empty(opened.panel), *frames], opened)
        return records
    ids = [site.id for site in sites]
    cells = _scored(job, opened, rows_of_sites(run.cells, CELLS, ids).sort(_KEY))
    folds, how = folds_of(job, ids), Options.of(job.options).combine or "logits"
    places = places_of(cells)
    records, frames = [], [_empty(opened.panel)]
    with steady(Options.of(job.options).threads):
        load = _loader(job, sites, cells, opened)
        panel = _running(job, opened, [s.id for s in sites if s.id in places], load, places)
        for site in sites:
            rows = places.get(site.id)
            if rows is None:
                records.append(SiteRecord(site.id, {"cells": 0}))
                continue
            if opened.panel.lacks(folds.get(site.id)):
                # All its models have seen this field.
                records.append(SiteRecord(site.id, {"cells": 0}))
                continue
            numbers = cells["cell_id"][rows]
            try:
                frames.append(
                    score_site(site.id, numbers, fold=folds.get(site.id), panel=panel,
                               scorer=opened.scorer, pixels_for=load(site.id, rows), combine=how)
                )  # fmt: skip
            except InputError as error:
                records.append(SiteRecord(site.id, error=error))
            else:
                records.append(SiteRecord(site.id, {"cells": len(numbers)}))
    _write(job, sites, frames, opened)
    return records


def _write(
    job: Job, sites: Sequence[Site], frames: Sequence[pl.DataFrame], opened: _Opened
) -> None:
    ids, classes = [site.id for site in sites], opened.panel.card.classes
    # Once for all sites: on a frame of a single row it takes longer than a small network.
    _shards(job).write(job.key, ids, as_stored(pl.concat(frames)), classes=classes)


def present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose scores are there."""
    run, shards = RunFolder(job.run), _shards(job)
    keys, scored = shards.keys(), shards.merged_sites()
    taken_over = any(not record.shard for record in finished.values())
    # What was scored before sites had records says no number of cells.
    with_cells = _sites_with_cells(run) if taken_over else set()
    there = run.scores(job.name).is_file()
    kept = []
    for site, record in finished.items():
        empty = site not in with_cells if not record.shard else not record.counts.get("cells", 1)
        in_table = record.merged and there and (empty or site in scored)
        if record.shard in keys or in_table:
            kept.append(site)
    return kept


def finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge the scores of all sites, keep class maps where asked; returns counts."""
    from cellwise.parts.panel import steady
    from cellwise.stages.score._maps import keep_maps

    options, run, opened = Options.of(job.options), RunFolder(job.run), _opened(job)
    shards, panel = _shards(job), opened.panel
    rows, sites = 0, 0
    batches = {site: record.shard for site, record in finished.items()}
    for frame in shards.merge(batches, _empty(panel), classes=panel.card.classes):
        rows += frame.height
        sites += frame["site_id"].n_unique()
    run.class_maps(job.name).unlink(missing_ok=True)
    if options.maps:
        with steady(options.threads):
            keep_maps(
                job,
                sorted(finished),
                folds_of(job, sorted(finished)),
                panel=panel,
                scorer=opened.scorer,
                count=options.maps,
            )
    what = "cells" if opened.scorer.gives == "cell" else "fields"
    counts: dict[str, Any] = {what: rows, "sites": sites, "models": len(panel.models)}
    chosen = None
    if options.runtime:
        from cellwise.stages.score._runtime import choice_made

        chosen = choice_made(job)
    return counts if chosen is None else {**counts, "runtime": chosen}


def settle(job: Job, batches: Collection[str]) -> None:
    """Delete all shards: the merge is on record."""
    _shards(job).remove()


def _opened(job: Job) -> _Opened:
    """The models and the scorer, once in each process for as long as the models are the same."""
    run = RunFolder(job.run)
    home = run if job.fitted is None else RunFolder(job.fitted)
    options = Options.of(job.options)
    folder = home.model(options.model, None).parent
    stamps = tuple((p, p.stat().st_mtime_ns) for p in sorted(folder.glob(f"*/{CARD_FILE}")))
    opened = _open(home.path, options.model_dump_json(), job.device, stamps)
    listed = read_json(home.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"])
    check_classes(opened.panel.card, classes.positive)
    return opened


@lru_cache(maxsize=1)
def _open(home: Path, written: str, device: str, _stamps: tuple[Any, ...]) -> _Opened:
    from cellwise.parts.panel import load_panel
    from cellwise.parts.precision import resolve

    options = Options.model_validate_json(written)
    precision = resolve(options.precision, device)
    panel = load_panel(RunFolder(home), options.model, device, precision)
    scorer = scorers.build(options.by)
    if scorer.unit != panel.card.unit:
        need = {"cell": "crops (task cell or bag)", "site": "fields (task image or puzzle)"}
        raise BadOption(
            f"score: this scorer needs a model of {need[scorer.unit]}; {options.model!r} was "
            f"trained on {need[panel.card.unit]}."
        )
    crop = panel.card.crop
    learned = "vectors" if "length" in crop else "tiles" if "tile" in crop else "pixels"
    if scorer.items != learned or (learned == "vectors" and not options.embeddings):
        raise BadOption(
            f"score: {options.model!r} was trained on {learned}, this scorer shows {scorer.items}. "
            "Models of the task vectors take 'by: vector_net', or 'vector_learner', and "
            "embeddings; those of the task tile 'by: tiles'."
        )
    if options.maps and scorer.class_map is None:
        raise BadOption("score: maps are kept by the scorer cam only; leave maps at 0.")
    return _Opened(panel, scorer)


def _scored(job: Job, opened: _Opened, cells: pl.DataFrame) -> pl.DataFrame:
    """The cells that can be scored: of vectors those that have one."""
    if opened.scorer.items != "vectors":
        return cells
    kept = vectors_of(job)
    kept.check_cells(cells)
    return cells.filter(pl.Series(kept.places(cells) >= 0, dtype=pl.Boolean))


def _running(
    job: Job, opened: _Opened, ids: Sequence[str], load: "PixelLoader", places: Mapping[str, Any]
) -> "Panel":
    """The models by the runtime that is asked for, tried on the first site that can be read."""
    if not Options.of(job.options).runtime:
        return opened.panel
    from cellwise.stages.score._runtime import panel_by_runtime

    for site in ids:
        try:
            return panel_by_runtime(job, opened.panel, opened.scorer, load(site, places[site]))
        except InputError:
            continue
    return opened.panel


def _loader(job: Job, sites: Sequence[Site], cells: pl.DataFrame, opened: _Opened) -> "PixelLoader":
    from cellwise.parts.site_pixels import crop_loader, field_loader, vector_loader

    card = opened.panel.card
    if opened.scorer.items == "vectors":
        return vector_loader(vectors_of(job), cells, card)
    if opened.scorer.unit == "cell":
        return crop_loader(RunFolder(job.run), cells, card)
    return field_loader(job, sites, cells, card)


def _shards(job: Job) -> Shards:
    run = RunFolder(job.run)
    return Shards(run.temporary / f"scores-{job.name}", SCORES, run.scores(job.name))


def _sites_with_cells(run: RunFolder) -> set[str]:
    return set(read_table(run.cells, CELLS, columns=["site_id"])["site_id"].unique().to_list())


def _empty(panel: "Panel") -> pl.DataFrame:
    return empty_frame(SCORES, n_classes=len(panel.card.classes))


def open_models(options: dict[str, Any], home: RunFolder, device: str) -> "FieldScores":
    """The models of a finished run for fields in memory, loaded once.

    Args:
        options: Those of a score step.
        home: The finished run.
        device: `cpu` or `cuda`.

    Raises:
        PreflightError: There is no model.
        FormatError: A model is damaged.
    """
    from cellwise.stages.score import _memory

    return _memory.open_models(Options.of(options), home, device)
