"""What a learner makes of the vectors of all folds but one: its arrays and their card."""

from importlib.metadata import version
from typing import Any

import numpy as np

from cellwise.domain.steps import Job
from cellwise.learning.seeds import derived_seed
from cellwise.parts.learners import learners
from cellwise.parts.threads import threads_of
from cellwise.registry import split_spec
from cellwise.stages.train._empty import nothing_left
from cellwise.stages.train._sources import Collection
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import ModelCard, write_model

_ALL = 10**6


def learn_model(job: Job, options: Any, *, found: Collection, fold: int | None) -> None:
    """Learn from the cells that lie outside `fold`, of all for None, and write the bundle.

    Raises:
        PreflightError: Without the fold there is nothing to learn from.
        BadOption: The learner needs a package that is not installed.
    """
    site = found.material.pool.site
    inside = np.ones(len(site), bool) if fold is None else found.fold[site] != fold
    material = found.material.leaving_out(fold)
    if options.unlabelled:
        inside &= material.labelled()
    if not inside.any():
        raise nothing_left(fold, site)
    material = material.part(inside)
    spec = _told(options.learner, found.blocks)
    learner = learners.build(spec)
    with threads_of(options.threads):
        fitted = learner.fit(
            material.read(np.arange(len(material.pool))),
            material.targets,
            material.weights,
            derived_seed(job.seed, _ALL if fold is None else fold),
        )
    card = ModelCard(
        classes=found.classes.positive,
        negative=found.classes.negative,
        channels=found.channels,
        normalisation={},
        net="",
        task=options.task,
        unit="cell",
        crop={"length": found.length},
        step=job.name,
        fold=fold,
        seed=job.seed,
        version=version("cellwise"),
        training={
            "key": job.key,
            "items": len(material.pool),
            "sites": len(set(material.pool.site.tolist())),
            "options": job.options,
        },
        learner=spec,
    )
    write_model(RunFolder(job.run).model(job.name, fold), fitted.arrays(), card)


def _told(learner: str | dict[str, Any], blocks: tuple[int, ...]) -> str | dict[str, Any]:
    """The learner, told which numbers belong together where it asks and they are of several."""
    name, options = split_spec(learner)
    asks = any(option.name == "blocks" for option in learners.page(name).options)
    if not asks or len(blocks) < 2 or options.get("blocks"):
        return learner
    return {"name": name, **options, "blocks": list(blocks)}
