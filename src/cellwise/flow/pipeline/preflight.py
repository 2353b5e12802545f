"""What is checked before any work: folders, an earlier run's record, the values of all settings."""

import inspect
from pathlib import Path
from typing import Any

from cellwise.domain.tables import SITES
from cellwise.errors import BadOption, FormatError, InputError, PreflightError, UsageError
from cellwise.flow.pipeline.inputs import pretrained_file
from cellwise.flow.pipeline.leftovers import own_folders
from cellwise.flow.pipeline.state import Request, State, step_module
from cellwise.flow.recipe.resolve import Recipe, Step
from cellwise.registry import Registry
from cellwise.store.masks.imported import GivenMasks
from cellwise.store.run.folder import FORMAT_VERSION, RunFolder, read_json
from cellwise.store.run.models import verify_model
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table


def check_request(request: Request) -> dict[str, Any]:
    """Refuse what cannot work, and return the record of the run that was here before.

    Returns:
        The content of `run.json`; empty for a new folder or a torn record.

    Raises:
        PreflightError: The folders cannot be used as asked.
        BadOption: A setting cannot take its value.
        FormatError: A newer cellwise wrote the run folder.
    """
    try:
        _check_folders(request)
        earlier = _earlier_record(RunFolder(request.out))
        _check_models(request)
        _check_same_inputs(request, earlier)
    except PermissionError as error:
        raise PreflightError(
            f"No permission to look at {error.filename}. Choose another folder, or allow it."
        ) from error
    check_values(request.recipe)
    if not request.fitted:
        _check_pretrained(request.recipe)
    return earlier


def _check_pretrained(recipe: Recipe) -> None:
    for step in recipe.of_kind("train"):
        path = pretrained_file(step)
        if path is not None and not path.is_file():
            raise PreflightError(
                f"Step {step.name!r}: there is no file of pretrained weights {path}. Name another "
                "under net.pretrained, or leave it out."
            )


def check_values(recipe: Recipe) -> None:
    """Build the options of every step once, so that a wrong value stops the run before any work.

    Raises:
        BadOption: The message names the step and the option.
        UsageError: A segmenter is told to take a GPU, and there is none.
    """
    for step in recipe.steps:
        module = step_module(step.kind)
        own = set(inspect.signature(module.build).parameters)
        options = {f"{key}_" if f"{key}_" in own else key: v for key, v in step.options.items()}
        _build(step, module.build, {key: v for key, v in options.items() if key in own})
        _check_device(step)
        whole = getattr(module, "SHELVES", {}).get("*")
        if whole and options.get("name") not in (None, ""):
            rest = {key: v for key, v in options.items() if key not in own or key == "name"}
            if options["name"] == "given" and options.get("masks"):
                # What lies in the folder is looked at once the fields are known.
                rest["load"] = _nothing
            getattr(module, "check_part", Registry(step.kind, whole).build)(rest)


def require_masks(state: State) -> None:
    """Refuse a folder of masks that has none for any field, before each is set aside for it.

    Raises:
        PreflightError: No file fits a field; some names of either side are shown.
    """
    for step in state.request.recipe.of_kind("segment"):
        folder = Path(str(step.options.get("masks") or ""))
        if step.options.get("name") != "given" or not step.options.get("masks"):
            continue
        if not folder.is_dir():
            what = "is a file" if folder.exists() else "does not exist"
            raise PreflightError(f"{folder} {what}. Give the folder that holds the masks.")
        sites = read_sites(state.run.sites)
        try:
            found = GivenMasks(folder, sites, images=state.request.folder).matches_any()
        except InputError as error:
            raise PreflightError(f"{error.reason} {error.remedy}") from error
        if sites and not found:
            there = sorted(path.name for path in folder.iterdir())[:3]
            raise PreflightError(
                f"No file in {folder} fits any of the {len(sites):,} fields "
                f"({', '.join(site.id for site in sites[:3])}...): there is "
                f"{', '.join(there) or 'nothing'}. Name masks as the fields, with _cells and "
                "_nuclei where there are both."
            )


def _nothing(site_id: str) -> None:
    """Stands for the masks of a field while options are checked."""


def _check_device(step: Step) -> None:
    """A segmenter that is told to take a GPU needs one; the run's own device is known to be there.

    Raises:
        UsageError: torch sees no GPU.
    """
    if step.kind != "segment" or step.options.get("device") != "cuda":
        return
    from cellwise.flow.request import pick_device

    try:
        pick_device("cuda")
    except UsageError as error:
        raise UsageError(
            f"Step {step.name!r}, option 'device': cuda is asked for, and torch sees no GPU here "
            "(`cellwise doctor` tells more)."
        ) from error


def _build(step: Step, build: Any, options: dict[str, Any]) -> None:
    from pydantic import ConfigDict, ValidationError, validate_call

    strict = validate_call(config=ConfigDict(arbitrary_types_allowed=True))
    try:
        strict(build)(**options)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]).rstrip("_") if first["loc"] else "?"
        raise BadOption(f"Step {step.name!r}, option {where!r}: {first['msg']}.") from error


def _check_folders(request: Request) -> None:
    if not request.folder.is_dir():
        what = "is a file" if request.folder.exists() else "does not exist"
        raise PreflightError(f"{request.folder} {what}. Give the folder that holds the images.")
    out, folder = request.out.resolve(), request.folder.resolve()
    if out == folder or folder in out.parents:
        raise PreflightError(
            f"The run folder {request.out} lies inside the image folder {request.folder}, where "
            "its own pictures would be read as input. Choose an --out beside it."
        )
    if request.out.exists() and not request.out.is_dir():
        raise PreflightError(f"{request.out} is a file, not a folder. Choose another --out.")


def _check_same_inputs(request: Request, earlier: dict[str, Any]) -> None:
    """A run folder belongs to its pictures: those of another folder would replace its results.

    Pictures may have been moved or copied together with the run, so their names decide.
    """
    inputs = earlier.get("inputs") or {}
    if not earlier:
        return
    applied = "with" if inputs.get("fitted") else "without"
    wanted = "with" if request.fitted else "without"
    if applied != wanted:
        raise PreflightError(
            f"{request.out} was made {applied} the models of another run, this asks for a run "
            f"{wanted} them. Choose another --out."
        )
    sites = RunFolder(request.out).sites
    if not sites.is_file():
        return
    try:
        known = read_table(sites, SITES)["paths"].explode().drop_nulls().to_list()
    except FormatError:
        # Only a failing disk tears it; reading makes it anew.
        return
    if known and not any((request.folder / path.partition("#")[0]).exists() for path in known):
        raise PreflightError(
            f"{request.out} holds the results of {inputs.get('folder')}, and {request.folder} has "
            "none of its pictures. Choose another --out."
        )


def _check_models(request: Request) -> None:
    """The models to be applied are whole, before anything is segmented for them."""
    if request.fitted is None:
        return
    fitted, out = request.fitted.resolve(), request.out.resolve()
    if fitted == out or fitted in out.parents or out in fitted.parents:
        raise PreflightError(
            f"--out {request.out} would write into {request.fitted}, whose models are applied. "
            "Choose an --out beside it."
        )
    for step in request.recipe.of_kind("score"):
        folder = RunFolder(request.fitted).path / "models" / str(step.options["model"])
        bundles = sorted(folder.glob("*/model.json"))
        if not bundles and not step.needs:
            raise PreflightError(
                f"{folder} holds no model. Give that run's command again: it learns what is gone."
            )
        for bundle in bundles:
            verify_model(bundle.parent)


def _earlier_record(run: RunFolder) -> dict[str, Any]:
    """The record of the run in this folder; a folder of another program's results is refused.

    A run deletes pictures in `crops/` that it does not know.
    """
    ours = _is_file(run.done / "read.jsonl")
    if not run.record.is_file():
        found = own_folders(run.path)
        if found and not ours:
            raise PreflightError(
                f"{run.path} holds a folder {found[0]!r}, but no run of cellwise. "
                "Choose another --out."
            )
        return {}
    try:
        record = read_json(run.record)
    except FormatError:
        # Only a failing disk tears it; the completion records decide what is done.
        if ours:
            return {}
        raise
    version = record.get("format_version")
    if not isinstance(version, int) or not isinstance(record.get("recipe"), dict):
        raise PreflightError(f"{run.record} was not written by cellwise. Choose another --out.")
    if version > FORMAT_VERSION:
        raise FormatError(
            f"{run.path} was written by a newer cellwise (format {version} > {FORMAT_VERSION}). "
            "Update, or choose another --out."
        )
    return record


def _is_file(path: Path) -> bool:
    return path.is_file()
