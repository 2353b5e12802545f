"""Words of a person become a checked request: recipe, settings, device, workers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellwise.domain.intensities import ONE_BY_ONE
from cellwise.domain.nouns import SITES
from cellwise.domain.specs import WHOLE
from cellwise.domain.steps import Report
from cellwise.errors import PreflightError
from cellwise.flow.devices import check_devices, devices_of
from cellwise.flow.measured import is_open, settled
from cellwise.flow.pipeline.checks import earlier_record
from cellwise.flow.pipeline.state import Request
from cellwise.flow.plan import (
    Understood,
    recipe_from_record,
    understand_folder,
)
from cellwise.flow.proposal import propose
from cellwise.flow.recipe.kinds import defaults as own_defaults
from cellwise.flow.recipe.kinds import kinds, spec_of
from cellwise.flow.recipe.load import load_recipe, recipe_names
from cellwise.flow.recipe.resolve import Recipe, Step, parse_setting, resolve
from cellwise.flow.recipe.threads import settle_threads
from cellwise.store.processor import count_cores, look_at_processor
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.scales import learned_scales

_MOST_LOADERS = 8


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
    seed: int | None = None,
    device: str = "auto",
    workers: int = 0,
    engine: str | dict[str, Any] = "local",
    devices: int = 1,
    nodes: int = 1,
    network: bool = False,
    command: Sequence[str] = (),
    report: Report | None = None,
) -> Request:
    """A request for `run`.

    A run folder that is there goes on with the recipe, settings and seed it began with, unless
    another recipe is named; else the recipe is chosen from the folder. `report` is called while
    headers are read and fields tried.

    Raises:
        UsageError: A wrong setting, recipe or device.
        PreflightError: A folder or file that is not there.
    """
    given = settings_of(labels=labels, masks=masks, layout=layout, pattern=pattern)
    given.update(parse_setting(text) for text in settings)
    _existing(folder, "folder")
    earlier = _record_in(out)
    understood: Understood | None = None
    if recipe and not _goes_on(recipe, earlier):
        chosen = resolve(load_recipe(recipe), given)
    elif earlier and not (earlier.get("inputs") or {}).get("fitted"):
        chosen = resolve(recipe_from_record(earlier, given), given)
    else:
        understood = understand_folder(folder, given, report=report)
        chosen = resolve(load_recipe(propose(understood.reading, given).recipe), given)
    free = look_at_processor().threads // max(devices, 1)
    chosen = settle_threads(_as_begun(chosen, earlier), earlier, free)
    device, keyed = devices_of(device, earlier, chosen.steps, engine=engine)
    check_devices(devices, device)
    workers = workers or count_cores()
    if understood is None and any(map(is_open, chosen.steps)):
        understood = understand_folder(folder, given, recipe=recipe, report=report)
    request = Request(
        folder=folder,
        out=out,
        recipe=chosen,
        seed=int(earlier.get("seed", 0)) if seed is None else seed,
        device=device,
        keyed_device=keyed,
        workers=workers,
        engine=engine,
        devices=devices,
        nodes=nodes,
        network=network,
        # A processor that trains has no time to spare for reading ahead.
        loaders=0 if device == "cpu" else min(workers, _MOST_LOADERS),
        command=tuple(command),
    )
    if understood is None:
        return request
    return settled(understood.given_to(request), understood.reading, report=report)


def _goes_on(recipe: str, earlier: Mapping[str, Any]) -> bool:
    """Whether the recipe of this name is the one that the run began with: then it goes on.

    The recipes that come along may change from version to version, a run does not. A file of the
    user's is read again.
    """
    begun = (earlier.get("recipe") or {}).get("name")
    fitted = (earlier.get("inputs") or {}).get("fitted")
    return begun == recipe and recipe in recipe_names() and not fitted


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
    engine: str | dict[str, Any] = "local",
    runtime: str = "",
    command: Sequence[str] = (),
) -> Request:
    """A request for `predict`: the recipe, reading and seed of a finished run, its models applied.

    `runtime` is that of all steps which have such an option.

    Raises:
        PreflightError: `fitted` is not a finished run with a model.
    """
    home = RunFolder(fitted)
    if not home.record.is_file():
        raise PreflightError(f"{fitted} is not a run folder: it holds no run.json.")
    record = read_json(home.record)
    if record["status"] != "done":
        raise PreflightError(f"{fitted} is not finished ({record['status']}); resume it first.")
    done = resolve(recipe_from_record(record), {})
    reads = [read for step in done.steps for read in step.spec.reads if read.by]
    if not any(read.noun.learned and not read.optional for read in reads):
        raise PreflightError(
            f"{fitted} holds no model to apply: its recipe learns nothing. Of an ensemble apply "
            "each member to the images, and join those runs."
        )
    earlier = earlier_record(RunFolder(out)) if out.is_dir() else {}
    again = dict(read_json(home.reading).get("again", {}))
    again.pop("scale", None)
    scales = learned_scales(home)
    if _keeps_scales(scales, earlier):
        again["scale"] = scales
    given = _for_other_images(done, again)
    given.update(settings_of(labels=None, masks=masks, layout=layout, pattern=pattern))
    if runtime:
        options = {step.name for step in done.steps if "runtime" in step.spec.options.model_fields}
        given.update({f"{name}.runtime": runtime for name in sorted(options)})
    given.update(parse_setting(text) for text in settings)
    recipe = _as_begun(resolve(recipe_from_record(record, given), given), earlier)
    applied = [step for step in recipe.steps if not step.spec.fits]
    device, keyed = devices_of(device, earlier, applied, engine=engine)
    return Request(
        folder=_existing(folder, "folder"),
        out=out,
        recipe=recipe,
        seed=int(record["seed"]),
        device=device,
        keyed_device=keyed,
        workers=workers or count_cores(),
        engine=engine,
        fitted=fitted,
        command=tuple(command),
    )


def _keeps_scales(scales: Mapping[str, str], earlier: Mapping[str, Any]) -> bool:
    """Whether the scales of the models are asked for.

    A prediction that an older cellwise began goes on without them where its images are read alike
    without; signed, wider and float numbers, each image by itself then, would get one scale now.
    """
    steps = (earlier.get("recipe") or {}).get("steps", [])
    opening = [step for step in steps if SITES in spec_of(step["kind"]).writes]
    asked = not opening or any("scale" in step["options"] for step in opening)
    return asked or ONE_BY_ONE in scales.values()


def _as_begun(recipe: Recipe, earlier: Mapping[str, Any]) -> Recipe:
    """The recipe of a run that an older cellwise began, without options it did not have.

    Where nobody sets such an option it does nothing, and keys stay what they were.
    """
    steps = (earlier.get("recipe") or {}).get("steps", [])
    before = {(step["kind"], step["name"]): step["options"] for step in steps}
    same = (earlier.get("recipe") or {}).get("name") == recipe.name

    def begun(step: Step) -> Step:
        known = before.get((step.kind, step.name), step.options)
        if WHOLE in step.spec.shelves and known.get("name") != step.options.get("name"):
            return step
        options = {
            name: value
            for name, value in step.options.items()
            if name in known or step.origins[name] != "default"
        }
        if same and is_open(step):
            # Once settled it stays, whatever images were added since.
            options |= {name: known[name] for name in step.spec.measured if name in known}
        return replace(step, options=options)

    return replace(recipe, steps=tuple(begun(step) for step in recipe.steps))


def _for_other_images(done: Recipe, again: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by which a finished recipe reads another folder laid out alike."""
    opening = next(step for step in done.steps if SITES in step.spec.writes)
    given: dict[str, Any] = {f"{opening.name}.{key}": value for key, value in again.items()}
    for step in done.steps:
        for content in step.spec.contents:
            if content.recorded and content.option in step.options:
                given[f"{step.name}.{content.option}"] = ""
                known = own_defaults(step.spec)
                given.update({f"{step.name}.{name}": known[name] for name in content.settings})
    return given


def settings_of(
    *, labels: Path | None = None, masks: Path | None = None, layout: str = "", pattern: str = ""
) -> dict[str, Any]:
    """Words of the command line as settings of the steps that take them."""
    words = {
        "labels": None if labels is None else str(_existing(labels, "labels file")),
        "masks": None if masks is None else str(_existing(masks, "masks folder")),
        "layout": layout,
        "pattern": pattern,
    }
    given: dict[str, Any] = {}
    for kind in kinds():
        for word, beside in spec_of(kind).command_words.items():
            if words.get(word):
                given.update({f"{kind}.{option}": value for option, value in beside.items()})
                given[f"{kind}.{word}"] = words[word]
    return given


def _record_in(out: Path) -> dict[str, Any]:
    """The record of the run that is there already; empty for a new folder."""
    try:
        return earlier_record(RunFolder(out)) if out.is_dir() else {}
    except PermissionError as error:
        raise PreflightError(
            f"No permission to look at {error.filename}. Choose another --out, or allow it."
        ) from error


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        raise PreflightError(f"There is no {what} {path}.")
    return path
