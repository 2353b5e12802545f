"""Train: sites or cells with labels become models, one for each fold that is left out.

A learner of vectors takes the place of a network where one is named.

Reads `sites.parquet`, `reading.json`, `folds.parquet`, and crops with a labels table or the images;
writes `models/<step>/fold<k>/`, or `models/<step>/all/` where there are not two folds. Checkpoints
lie under `work/` until all models are there; a killed step goes on from the last epoch and ends
with the same weights, bit for bit on a processor.

Threads are an option, not taken from the machine: sums in another order round differently, and the
same settings must give the same weights everywhere.
"""

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.steps import Job, Report
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption, PreflightError
from cellwise.registry import split_spec
from cellwise.stages.train._foresight import training_foresight
from cellwise.stages.train.spec import Options
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import WEIGHTS_FILE


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse pretrained weights that are not there, and parts that cannot be made.

    Raises:
        PreflightError: Names the step and the file.
        BadOption: A part refuses its options, the network cannot take images of the task's size,
            or the learner needs a package that is not installed.
    """
    if options.get("learner"):
        from cellwise.parts.learners import learners

        learners.build(options["learner"])
    else:
        from cellwise.stages.train._parts import check_parts

        check_parts(job.name, Options.of(options))
    net = options.get("net")
    name = net.get("pretrained") if isinstance(net, dict) else None
    if isinstance(name, str) and name and not Path(name).is_file():
        raise PreflightError(
            f"Step {job.name!r}: there is no file of pretrained weights {name}. Name another under "
            "net.pretrained, or leave it out."
        )


def missing(options: dict[str, Any]) -> list[str]:
    """Published weights that lie in no cache of this machine."""
    net = options.get("net")
    if not isinstance(net, dict) or net.get("pretrained") is not True:
        return []
    from cellwise.parts.nets import is_cached

    name = str(net.get("model", ""))
    return [] if not name or is_cached(name) else [f"weights of {name}"]


def fetch(options: dict[str, Any]) -> None:
    """Bring these weights to the cache.

    Raises:
        PreflightError: They cannot be had; says what would bring them.
    """
    from cellwise.parts.nets import fetch_weights

    fetch_weights(str(options["net"]["model"]))


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse to segment a whole folder that has nothing to learn from; tell what disk holds."""
    if any(site.labels is not None for site in folder.sites):
        return training_foresight(job, folder)
    said = folder.labels_file or "no labels were given"
    refusal = Refusal(
        "A recipe that learns needs labels, and none of the "
        f"{len(folder.sites)} usable fields has one ({said}).",
        "Give --labels, correct its key or label column, or take --recipe segment-only.",
        "no_labels",
    )
    return Foresight((refusal,))


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core that the trainings will take, from a few fields of a folder."""
    from cellwise.stages.train._forecast import forecast_training

    return forecast_training(job, Options.of(job.options), trial)


def key_parts(options: dict[str, Any], device: str) -> list[str]:
    """What models of vectors depend on beside the options: who teaches, and who grows trees."""
    parts = ["cells without a number teach nothing"] if options.get("embeddings") else []
    learner = options.get("learner")
    if learner and split_spec(learner)[0] == "boosting" and find_spec("lightgbm"):
        parts.append(f"lightgbm {version('lightgbm')}")
    return parts


def whole(job: Job, counts: dict[str, Any]) -> bool:
    """Whether as many models as were learned are there with their weights."""
    cards = list((job.run / "models" / job.name).glob("*/model.json"))
    held = [card for card in cards if (card.parent / WEIGHTS_FILE).is_file()]
    return len(held) >= int(counts.get("models", 1))


def work(job: Job, report: Report) -> dict[str, Any]:
    """Train the models that are not there yet; returns counts.

    Raises:
        BadOption: A setting does not fit the data, or the loss diverged.
        PreflightError: Nothing to learn from.
    """
    from cellwise.learning.ranks import in_ranks
    from cellwise.stages.train._bundle import is_done
    from cellwise.stages.train._learner import learn_model
    from cellwise.stages.train._model import (
        collected,
        parts_of,
        train_beside,
        train_model,
        validation_of,
    )

    options, run = Options.of(job.options), RunFolder(job.run)
    place = run.temporary / f"{job.name}-{job.key}"
    found = collected(job, options)
    folds = _wanted(found.folds(), options.folds)
    for fold in folds:
        # What lacks groups to set aside is refused before the first of the trainings.
        validation_of(job, options, found, fold)
    wanted = [(fold, part) for fold in folds for part in parts_of(options, found, fold)]
    shared: dict[str, int] = {}
    if job.nodes > 1 and not options.learner:
        from cellwise.stages.train._hosts import on_hosts

        shared = on_hosts(job, options, wanted, report)
    for number, (fold, part) in enumerate(wanted):
        if not is_done(run.model(job.name, fold, part), job.key):
            share = _Share(report, number, len(wanted), fold, part)
            if options.learner:
                learn_model(job, options, found=found, fold=fold)
                share(1, 1, "learned")
            elif job.devices > 1:
                words = (job, options, fold, part)
                in_ranks(train_beside, words, devices=job.devices, told=share)
            else:
                train_model(job, options, found=found, fold=fold, report=share, part=part)
        # Checkpoints are several times as large as a model: those of one training at a time.
        shutil.rmtree(place / run.model(job.name, fold, part).name, ignore_errors=True)
    _remove_others(run, job.name, wanted)
    shutil.rmtree(place, ignore_errors=True)
    return {
        "models": len(wanted),
        "items": len(found.material.pool),
        "sites": len(set(found.material.pool.site.tolist())),
        **shared,
    }


def called(job: Job, fold: int | None, part: str) -> tuple[Any, tuple[Any, ...]]:
    """What a process of any host does for one of these models, and what it is given."""
    from cellwise.stages.train._model import train_beside

    return train_beside, (job, Options.of(job.options), fold, part)


def _wanted(folds: list[int | None], asked: list[int]) -> list[int | None]:
    """The folds to leave out: those that are asked for, all where none is or there are no folds."""
    missing = [fold for fold in asked if fold not in folds]
    if folds == [None] or not asked:
        return folds
    if missing:
        raise BadOption(
            f"train: folds names {missing[0]}, and this run has {len(folds)} folds, from 0. Give "
            f"--set split.folds={max(asked) + 1}, or other folds."
        )
    return [fold for fold in folds if fold in asked]


@dataclass(frozen=True, slots=True)
class _Share:
    """Progress of one of several trainings of equal length."""

    report: Report
    number: int
    trainings: int
    fold: int | None
    part: str = ""

    def __call__(self, done: int, total: int, note: str) -> None:
        named = [*([] if self.fold is None else [f"fold {self.fold}"]), *filter(None, [self.part])]
        which = f" ({', '.join(named)})" if named else ""
        text = f"model {self.number + 1} of {self.trainings}{which}, {note}"
        self.report(self.number * total + done, self.trainings * total, text)


def _remove_others(run: RunFolder, name: str, wanted: list[tuple[int | None, str]]) -> None:
    """Delete models of folds that exist no more: their mean would be taken for new sites."""
    kept = {run.model(name, fold, part) for fold, part in wanted}
    for folder in run.model(name, None).parent.iterdir():
        if folder not in kept:
            shutil.rmtree(folder)
