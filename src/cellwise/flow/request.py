"""Words of a person become a checked request: recipe, settings, device, workers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise.errors import PreflightError, UsageError
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.load import RawRecipe, RawStep, load_recipe
from cellwise.flow.recipe.resolve import parse_setting, resolve
from cellwise.store.run.folder import RunFolder, read_json

if TYPE_CHECKING:
    from cellwise.stages.read.step import ReadOptions

DEVICES = ("auto", "cpu", "cuda")


def make_request(
    folder: Path,
    out: Path,
    *,
    labels: Path | None = None,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    masks: Path | None = None,
    layout: str = "",
    pattern: str = "",
    seed: int = 0,
    device: str = "auto",
    workers: int = 0,
    command: Sequence[str] = (),
) -> Request:
    """A request for `run`; the recipe is chosen from the folder where none is named.

    Raises:
        UsageError: A wrong setting, recipe or device.
        PreflightError: A folder or file that is not there.
    """
    given = reading_settings(labels=labels, masks=masks, layout=layout, pattern=pattern)
    given.update(parse_setting(text) for text in settings)
    name = recipe or default_recipe(folder, given)
    return Request(
        folder=_existing(folder, "folder"),
        out=out,
        recipe=resolve(load_recipe(name), given),
        seed=seed,
        device=pick_device(device),
        workers=workers or (os.cpu_count() or 1),
        command=tuple(command),
    )


def fitted_request(
    fitted: Path,
    folder: Path,
    out: Path,
    *,
    settings: Sequence[str] = (),
    masks: Path | None = None,
    layout: str = "",
    pattern: str = "",
    device: str = "auto",
    workers: int = 0,
    command: Sequence[str] = (),
) -> Request:
    """A request for `predict`: the recipe, reading and seed of a finished run, its models applied.

    Raises:
        PreflightError: `fitted` is not a finished run with a model.
    """
    home = RunFolder(fitted)
    if not home.record.is_file():
        raise PreflightError(f"{fitted} is not a run folder: it holds no run.json.")
    record = read_json(home.record)
    if record["status"] != "done":
        raise PreflightError(f"{fitted} is not finished ({record['status']}); resume it first.")
    steps = record["recipe"]["steps"]
    if not any(step["kind"] == "score" for step in steps):
        raise PreflightError(f"{fitted} holds no model to apply: its recipe only segments.")
    again = read_json(home.reading).get("again", {})
    given: dict[str, Any] = {f"read.{key}": value for key, value in again.items()}
    given.update({"read.labels": "", "segment.masks": ""})
    given.update(reading_settings(labels=None, masks=masks, layout=layout, pattern=pattern))
    given.update(parse_setting(text) for text in settings)
    return Request(
        folder=_existing(folder, "folder"),
        out=out,
        recipe=resolve(recipe_from_record(record), given),
        seed=int(record["seed"]),
        device=pick_device(device),
        workers=workers or (os.cpu_count() or 1),
        fitted=fitted,
        command=tuple(command),
    )


def recipe_from_record(record: Mapping[str, Any]) -> RawRecipe:
    """The raw recipe that a finished run resolved."""
    steps = tuple(
        RawStep(
            step["kind"], {**step["options"], "as": step["name"], "needs": step.get("needs", [])}
        )
        for step in record["recipe"]["steps"]
    )
    return RawRecipe(record["recipe"]["name"], "", steps, {})


def reading_settings(
    *, labels: Path | None, masks: Path | None, layout: str, pattern: str
) -> dict[str, Any]:
    """Command-line words as settings of the steps they belong to."""
    given: dict[str, Any] = {}
    if labels is not None:
        given["read.labels"] = str(_existing(labels, "labels file"))
    if layout:
        given["read.layout"] = layout
    if pattern:
        given["read.pattern"] = pattern
    if masks is not None:
        given["segment.name"] = "given"
        given["segment.masks"] = str(_existing(masks, "masks folder"))
    return given


def default_recipe(folder: Path, given: Mapping[str, Any]) -> str:
    """The recipe for a folder: by its labels and layout, as the product page states."""
    from cellwise.flow.check import recommended_recipe
    from cellwise.stages.read.step import understand

    options = read_options({k: v for k, v in given.items() if k.startswith("read.")})
    return recommended_recipe(understand(_existing(folder, "folder"), options))


def read_options(given: Mapping[str, Any]) -> "ReadOptions":
    """The options of the read step from settings such as `read.roles.w1`, checked.

    Raises:
        UsageError: An unknown option, or a value it cannot take.
    """
    from cellwise.flow.pipeline.preflight import check_values
    from cellwise.stages.read.step import build

    recipe = resolve(RawRecipe("read", "", (RawStep("read", {}),), {}), given)
    check_values(recipe)
    return build(**recipe.steps[0].options)


def pick_device(device: str) -> str:
    """`cpu` or `cuda`; `auto` takes the GPU where torch sees one.

    Raises:
        UsageError: An unknown device, or `cuda` where there is none.
    """
    if device not in DEVICES:
        raise UsageError(f"--device is one of {', '.join(DEVICES)}, not {device!r}.")
    if device == "cpu":
        return device
    import torch

    present = torch.cuda.is_available()
    if device == "cuda" and not present:
        raise UsageError("--device cuda: torch sees no GPU here (`cellwise doctor` tells more).")
    return "cuda" if present else "cpu"


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        raise PreflightError(f"There is no {what} {path}.")
    return path
