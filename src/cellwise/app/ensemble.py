"""Several finished runs on the same images and masks become one."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from cellwise.errors import PreflightError, UsageError
from cellwise.flow.pipeline.run import Outcome, run_pipeline
from cellwise.flow.request import make_request
from cellwise.stages.member.step import check_finished, check_same, said_by
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import find_images


def ensemble_runs(
    runs: Sequence[Path],
    out: Path,
    *,
    combine: str = "probabilities",
    weights: Sequence[float] | Literal["auto"] = (),
    settings: Sequence[str] = (),
    workers: int = 0,
    command: Sequence[str] = (),
    listener: Callable[[], Any] | None = None,
) -> Outcome:
    """Make a run whose scores are the probabilities of finished runs.

    Images, labels, cells and folds are those of the first; masks must be the same in all.

    Args:
        runs: Two or more finished run folders.
        out: The run folder to make or to resume.
        combine: `probabilities`, `logits`, `ranks` or `median`.
        weights: One for each run, or `auto` for those that labelled fields speak for; equal where
            empty.
        settings: `step.option=value`, as of `cellwise run`.
        workers: Processes; 0 for one per core.
        command: The words that the user typed.
        listener: Makes what is told of progress.

    Raises:
        UsageError: Fewer than two runs, or one of them twice.
        PreflightError: One is not finished, has other masks or classes than the first, or says of
            every cell what another says.
        BadOption: Weights that do not fit.
    """
    if len(runs) < 2 or len({run.resolve() for run in runs}) < len(runs):
        raise UsageError("An ensemble joins two or more different runs; name their folders.")
    if out.resolve() in {run.resolve() for run in runs}:
        raise UsageError(f"--out {out} is one of the runs: name another folder.")
    for run in runs:
        check_finished(run)
        if not RunFolder(run).predictions.is_file():
            raise PreflightError(f"{run} holds no predictions: its recipe decides on no cells.")
    first = RunFolder(runs[0])
    for run in runs[1:]:
        check_same(first, RunFolder(run).predictions)
    _refuse_twins(first, runs)
    content = _recipe(read_json(first.record), runs, combine, weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ensemble.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        request = make_request(
            find_images(first), out, recipe=str(path), settings=settings, workers=workers,
            command=command,
        )  # fmt: skip
    return run_pipeline(request, None if listener is None else listener())


def _refuse_twins(first: RunFolder, runs: Sequence[Path]) -> None:
    """Refuse two runs of the same probabilities, such as a copy: one of them would count twice.

    Raises:
        PreflightError: There are such.
    """
    seen: dict[str, Path] = {}
    for run in runs:
        said = said_by(first, RunFolder(run).predictions)
        if said in seen:
            raise PreflightError(
                f"{seen[said]} and {run} give every cell the same probabilities: joined, they are "
                "one run that counts twice. Leave one out, or make it again with another recipe or "
                "--seed."
            )
        seen[said] = run


def _recipe(
    record: dict[str, Any],
    runs: Sequence[Path],
    combine: str,
    weights: Sequence[float] | Literal["auto"],
) -> dict[str, Any]:
    """The recipe of the ensemble, as a file holds it."""
    applied = (record.get("inputs") or {}).get("fitted")
    # A run of models on new images shares out nothing.
    wanted = {"read", "cells"} if applied else {"read", "cells", "split"}
    kept = {step["kind"]: step for step in record["recipe"]["steps"] if step["kind"] in wanted}
    as_before = {
        kind: {name: value for name, value in step["options"].items() if value is not None}
        for kind, step in kept.items()
    }
    # They were made for these images: nothing of them is in doubt.
    folder = str(RunFolder(runs[0]).masks)
    masks = {"name": "imported", "masks": folder, "implausible": "take"}
    names = [f"member{number}" for number in range(1, len(runs) + 1)]
    members: list[dict[str, Any]] = [
        {"member": {"as": name, "predictions": str(RunFolder(run).predictions)}}
        for name, run in zip(names, runs, strict=True)
    ]
    decide: dict[str, Any] = {"from": names, "combine": combine}
    if weights:
        auto = isinstance(weights, str)
        decide["weights"] = weights if auto else [float(weight) for weight in weights]
    if combine == "ranks":
        decide["by"] = {"name": "temperature", "bias": True}
    return {
        "format": 1,
        "steps": [
            {"read": as_before["read"]},
            {"segment": masks},
            {"cells": as_before.get("cells", {})},
            *([{"split": as_before["split"]}] if "split" in as_before else []),
            *members,
            {"decide": decide},
            {"evaluate": None},
            {"report": None},
        ],
    }
