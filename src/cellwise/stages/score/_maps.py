"""Class maps of a few fields, kept for people to look at."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import polars as pl
import torch

from cellwise.contracts.scorer import Scorer
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, SITES
from cellwise.parts.panel import Panel
from cellwise.parts.site_pixels import field_loader
from cellwise.store.run.class_maps import ClassMaps, write_class_maps
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table, rows_of_sites


def keep_maps(
    job: Job,
    among: Sequence[str],
    folds: Mapping[str, int],
    *,
    panel: Panel,
    scorer: Scorer,
    count: int,
) -> None:
    """Write the maps of `count` labelled fields, mean over the models that may score each."""
    assert scorer.class_map is not None
    run = RunFolder(job.run)
    filled = rows_of_sites(run.cells, CELLS, among).sort("site_id", "cell_id")
    labels = _labels(run, filled["site_id"].unique().to_list())
    # Not of fields that all models have learned from.
    labels = {site: own for site, own in labels.items() if not panel.lacks(folds.get(site))}
    chosen = list(islice(in_turn(labels, panel.card.classes), count))
    maps = []
    for site in read_sites(run.sites, only=chosen):
        own = filled.filter(pl.col("site_id") == site.id)
        load = field_loader(job, [site], own, panel.card)
        pixels_for = load(site.id, slice(0, len(own)))
        models = panel.choose(folds.get(site.id)).models
        seen = [scorer.class_map(model.predictor, pixels_for(model)) for model in models]
        maps.append((site.id, torch.stack(seen).mean(0).numpy().astype(np.float16)))
    if maps:
        stacked = dict(maps)
        kept = ClassMaps(panel.card.classes, tuple(chosen), np.stack([stacked[s] for s in chosen]))
        write_class_maps(run.class_maps(job.name), kept)


def in_turn(labels: dict[str, list[str]], classes: Iterable[str]) -> Iterator[str]:
    """Fields such that each class has one before any has a second; each field once, by name.

    Fields with none of the classes never come.

    Args:
        labels: The labels of each field.
        classes: Classes in the order in which they choose.
    """
    queues = [[site for site in sorted(labels) if c in labels[site]] for c in classes]
    taken: set[str] = set()
    while any(queues):
        for queue in queues:
            while queue and queue[0] in taken:
                queue.pop(0)
            if queue:
                site = queue.pop(0)
                taken.add(site)
                yield site


def _labels(run: RunFolder, among: Sequence[str]) -> dict[str, list[str]]:
    frame = read_table(run.sites, SITES).unique("site_id", keep="first")
    frame = frame.filter(pl.col("labels").is_not_null() & pl.col("site_id").is_in(list(among)))
    return dict(frame.select("site_id", "labels").iter_rows())
