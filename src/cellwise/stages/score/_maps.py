"""Class maps of a few fields, kept for people to look at."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import polars as pl
import torch

from cellwise.contracts.scorer import Scorer
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import SITES
from cellwise.parts.panel import Panel
from cellwise.parts.site_pixels import Look
from cellwise.store.run.class_maps import ClassMaps, write_class_maps
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table


def keep_maps(
    job: Job,
    spans: list[tuple[str, slice]],
    folds: dict[str, int],
    *,
    panel: Panel,
    scorer: Scorer,
    look: Look,
    count: int,
    report: Report,
) -> None:
    """Write the maps of `count` labelled fields, mean over the models that may score each."""
    assert scorer.class_map is not None
    run = RunFolder(job.run)
    rows = dict(spans)
    chosen = list(islice(in_turn(_labels(run, rows), panel.card.classes), count))
    sites, maps = [], []
    for number, site_id in enumerate(chosen):
        pixels_for = look(site_id, rows[site_id])
        models = panel.choose(folds.get(site_id)).models
        seen = [scorer.class_map(model.predictor, pixels_for(model)) for model in models]
        sites.append(site_id)
        maps.append(torch.stack(seen).mean(0).numpy().astype(np.float16))
        report(number + 1, len(chosen), "class maps")
    if sites:
        kept = ClassMaps(panel.card.classes, tuple(sites), np.stack(maps))
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


def _labels(run: RunFolder, among: dict[str, slice]) -> dict[str, list[str]]:
    frame = read_table(run.sites, SITES).unique("site_id", keep="first")
    frame = frame.filter(pl.col("labels").is_not_null() & pl.col("site_id").is_in(list(among)))
    return dict(frame.select("site_id", "labels").iter_rows())
