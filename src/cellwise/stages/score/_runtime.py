"""What networks of a score step calculate with, chosen once for a run and kept with its scores."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from cellwise.contracts.scorer import Scorer, SitePixels
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS
from cellwise.errors import BadOption
from cellwise.parts.panel import Model, Panel
from cellwise.parts.predictor import LearnedModel, LoadedModel
from cellwise.parts.runtimes import OPENVINO, PLAIN, runtimes_here, with_runtime
from cellwise.parts.runtimes.choice import TOLERANCE, Recorder, choose
from cellwise.stages.score.spec import AUTO, Options
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.scores import read_runtime, write_runtime
from cellwise.store.run.tables import read_table

# The last panel of this process by its runtime: compiling takes seconds.
_made: list[tuple[Panel, str, Panel]] = []


def panel_by_runtime(
    job: Job, panel: Panel, scorer: Scorer, pixels: Callable[[Model], SitePixels]
) -> Panel:
    """The models by the runtime that the step names, or that is fastest here.

    Args:
        job: The score step.
        panel: Its models as they were loaded.
        scorer: Who asks them.
        pixels: The first site that is scored, for a model.

    Raises:
        BadOption: A runtime is named, and the models are no networks.
        UsageError: OpenVINO is named and not installed.
    """
    options = Options.of(job.options)
    if not options.runtime:
        return panel
    if any(isinstance(model.predictor, LearnedModel) for model in panel.models):
        if options.runtime != AUTO:
            raise BadOption(
                f"score: {options.model!r} learns from vectors at once and has no runtime; leave "
                f"{job.name}.runtime out."
            )
        return panel
    name: str = options.runtime
    if name == AUTO:
        name = str(_chosen(job, panel, scorer, pixels)["runtime"])
    return _by(panel, name, options.threads)


def choice_made(job: Job) -> dict[str, Any] | None:
    """What was chosen for this step, for the record of the run; None where nothing was."""
    if Options.of(job.options).runtime != AUTO:
        return None
    return read_runtime(*_places(job))


def _by(panel: Panel, name: str, threads: int) -> Panel:
    for before, runtime, made in _made:
        if before is panel and runtime == name:
            return made
    models = tuple(
        replace(model, predictor=with_runtime(model.network, name, threads=threads))
        for model in panel.models
    )
    _made[:] = [(panel, name, replace(panel, models=models))]
    return _made[0][2]


def _chosen(
    job: Job, panel: Panel, scorer: Scorer, pixels: Callable[[Model], SitePixels]
) -> dict[str, Any]:
    """What was chosen before for these models, or what is fastest now; one process measures."""
    path, models = _places(job)
    waiting = RunFolder(job.run).temporary
    waiting.mkdir(parents=True, exist_ok=True)
    with FileLock(waiting / f"runtime-{job.name}.lock"):
        found = read_runtime(path, models)
        if found is None:
            found = _measured(job, panel, scorer, pixels)
            write_runtime(path, models, found)
    return found


def _measured(
    job: Job, panel: Panel, scorer: Scorer, pixels: Callable[[Model], SitePixels]
) -> dict[str, Any]:
    first, threads = panel.models[0], Options.of(job.options).threads
    plain = with_runtime(first.network, PLAIN, threads=threads)
    recorder = Recorder(plain)
    scorer.score(recorder, pixels(first))
    names = runtimes_here(job.device)
    if recorder.halves or any(told is not None for _, _, told in recorder.calls):
        names = tuple(name for name in names if not name.startswith(OPENVINO))
    sites = read_table(RunFolder(job.run).cells, CELLS, columns=["site_id"])["site_id"].n_unique()

    def make(name: str) -> LoadedModel:
        return with_runtime(first.network, name, threads=threads)

    found = choose(
        make, names, recorder.calls,
        images=recorder.shown * sites * len(panel.models), models=len(panel.models),
    )  # fmt: skip
    tried = [
        {k: v if isinstance(v, str | bool) else float(f"{v:.3g}") for k, v in asdict(one).items()}
        for one in found.tried
    ]
    return {
        "runtime": found.runtime, "tolerance": TOLERANCE, "images": found.images, "tried": tried,
    }  # fmt: skip


def _places(job: Job) -> tuple[Path, Path]:
    """Where the choice lies, and the models that it is for."""
    home = RunFolder(job.run if job.fitted is None else job.fitted)
    models = home.model(Options.of(job.options).model, None).parent
    return RunFolder(job.run).scores(job.name).with_suffix(".runtime.json"), models
