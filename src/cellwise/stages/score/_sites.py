"""One site scored: its cells, or the whole of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cellwise.domain.records import Site
from cellwise.domain.steps import Job, SiteRecord
from cellwise.errors import InputError
from cellwise.stages.score._tables import folds_of, values_of
from cellwise.stages.score.spec import Options
from cellwise.store.run.folder import RunFolder

if TYPE_CHECKING:
    from cellwise.contracts.scorer import Scorer
    from cellwise.parts.panel import Panel
    from cellwise.parts.site_pixels import ForModel


def score_whole_sites(
    sites: Sequence[Site], job: Job, panel: "Panel", scorer: "Scorer"
) -> tuple[list[SiteRecord], list[pl.DataFrame]]:
    """Score sites as a whole: nothing but their pixels is needed.

    Raises:
        FormatError: The adapted statistics are missing or torn.
    """
    from cellwise.parts.panel import steady
    from cellwise.parts.sites.adapted_models import adapted_models
    from cellwise.parts.whole_sites import site_loader

    options = Options.of(job.options)
    ids = [site.id for site in sites]
    folds, how = folds_of(job, ids), options.combine or "logits"
    records: list[SiteRecord] = []
    frames: list[pl.DataFrame] = []
    load = site_loader(job, sites, panel.card)
    values = values_of(RunFolder(job.run), panel.column, ids)
    adapted = adapted_models(RunFolder(job.run), options.adapted, sites)
    none = pl.Series([], dtype=pl.Int32)
    with steady(options.threads):
        for site in sites:
            if panel.lacks(folds.get(site.id)):
                records.append(SiteRecord(site.id, {"cells": 0}))
                continue
            try:
                with adapted(site.id, panel):
                    frames.append(
                        score_site(site.id, none, fold=folds.get(site.id), panel=panel,
                                   scorer=scorer, pixels_for=load(site.id), combine=how,
                                   value=values.get(site.id))
                    )  # fmt: skip
            except InputError as error:
                records.append(SiteRecord(site.id, error=error))
            else:
                records.append(SiteRecord(site.id, {"fields": 1}))
    return records, frames


def score_site(
    site_id: str,
    numbers: pl.Series,
    *,
    fold: int | None,
    panel: "Panel",
    scorer: "Scorer",
    pixels_for: "ForModel",
    combine: str = "logits",
    value: str | None = None,
) -> pl.DataFrame:
    """Rows of scores for the cells `numbers` of one site; nothing is read or written.

    `value` is the site's in the column by which models are made.
    """
    from cellwise.parts.predictor import combine as combined

    chosen = panel.choose(fold, value)
    views = [scorer.score(model.predictor, pixels_for(model)) for model in chosen.models]
    scores = combined(views, combine)
    if scorer.gives == "site":
        numbers = pl.Series([None], dtype=pl.Int32)
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
