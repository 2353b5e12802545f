"""What is checked before any work: folders, an earlier run's record, what options name."""

from pathlib import Path
from typing import Any

from cellwise.domain.records import file_of
from cellwise.domain.tables import SITES
from cellwise.errors import BrokenContract, FormatError, PreflightError
from cellwise.flow.pipeline.contents import content_path, earlier_digest
from cellwise.flow.pipeline.inputs import check_counts
from cellwise.flow.pipeline.leftovers import own_folders
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import named_place, named_steps
from cellwise.store.objects.mirror import address_of
from cellwise.store.run.folder import FORMAT_VERSION, RunFolder, read_json
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
        earlier = earlier_record(RunFolder(request.out))
        _check_fitted(request)
        _check_same_inputs(request, earlier)
    except PermissionError as error:
        raise PreflightError(
            f"No permission to look at {error.filename}. Choose another folder, or allow it."
        ) from error
    check_steps(request)
    _check_contents(request, earlier)
    return earlier


def check_steps(request: Request) -> None:
    """Let every step look at what its options name, so that nothing wrong is found hours later.

    Raises:
        BadOption: An option cannot take its value; names the step and the option.
        UsageError: Something named is not there.
        PreflightError: A file named is not there, or the models to be applied are not whole.
        BrokenContract: The step of another package lacks a function.
    """
    for step in request.recipe.steps:
        check_counts(step)
        module = step_module(step.kind)
        for name in ("work", "finish") if step.spec.grain == "site" else ("work",):
            if not callable(getattr(module, name, None)):
                rule = f"step.py of grain {step.spec.grain!r} has {name}()"
                raise BrokenContract(f"step {step.kind!r}", rule, f"{module.__name__} has none")
        check = getattr(module, "check", None)
        if check is not None and not (request.fitted and step.spec.fits):
            check(step.options, request.job(step, ""))


def _check_contents(request: Request, earlier: dict[str, Any]) -> None:
    """Refuse files that options name and that are not there, unless this run has read them already.

    Raises:
        PreflightError: Names the step, the option and the file.
    """
    for step in request.recipe.steps:
        for content in step.spec.contents:
            path = content_path(content, step)
            if path is None or content.what != "file" or (request.fitted and step.spec.fits):
                continue
            if not path.exists() and not earlier_digest(earlier, step, content):
                raise PreflightError(
                    f"Step {step.title!r}, option {content.option!r}: there is no file {path}."
                )


def earlier_record(run: RunFolder) -> dict[str, Any]:
    """The record of the run in this folder; a folder of another program's results is refused.

    A run deletes images in `crops/` that it does not know.

    Raises:
        PreflightError: The folder holds something else than a run.
        FormatError: A newer cellwise wrote it, or its record is torn and nothing else tells of it.
    """
    ours = any(run.done.glob("*.jsonl"))
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


def _check_folders(request: Request) -> None:
    if not request.folder.is_dir():
        what = "is a file" if request.folder.exists() else "does not exist"
        raise PreflightError(f"{request.folder} {what}. Give the folder that holds the images.")
    out, folder = request.out.resolve(), request.folder.resolve()
    if out == folder or folder in out.parents:
        raise PreflightError(
            f"The run folder {request.out} lies inside the image folder {request.folder}, where "
            "its own images would be read as input. Choose an --out beside it."
        )
    if request.out.exists() and not request.out.is_dir():
        raise PreflightError(f"{request.out} is a file, not a folder. Choose another --out.")


def _check_same_inputs(request: Request, earlier: dict[str, Any]) -> None:
    """A run folder belongs to its images: those of another folder would replace its results.

    Images may have been moved or copied together with the run, so their names decide.
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
        known = read_table(sites, SITES, columns=["paths"])["paths"].explode().drop_nulls()
    except FormatError:
        # Only a failing disk tears it; reading makes it anew.
        return
    if len(known) and not any((request.folder / file_of(path)).exists() for path in known):
        before = inputs.get("copies", {}).get("folder", {}).get("address") or inputs.get("folder")
        raise PreflightError(
            f"{request.out} holds the results of {before}, and "
            f"{address_of(request.folder) or request.folder} has none of its images. Choose "
            "another --out."
        )


def _check_fitted(request: Request) -> None:
    """What is to be applied is there, before anything is segmented for it."""
    if request.fitted is None:
        return
    fitted, out = request.fitted.resolve(), request.out.resolve()
    if fitted == out or fitted in out.parents or out in fitted.parents:
        raise PreflightError(
            f"--out {request.out} would write into {request.fitted}, whose models are applied. "
            "Choose an --out beside it."
        )
    for step in request.recipe.steps:
        learned = [read for read in step.spec.reads if read.noun.learned and read.by]
        if step.spec.fits or step.needs:
            continue
        for read in learned:
            for _, name in named_steps(step, read):
                place = named_place(read.noun, name, kind=step.kind)
                if not read.optional and not any(request.fitted.glob(place)):
                    raise PreflightError(
                        f"{request.fitted / Path(place.split('*')[0])} holds no "
                        f"{read.noun.name.removesuffix('s')}. Give that run's command again: it "
                        "learns what is gone."
                    )
