"""A read-only look at a folder: what was understood, what is wrong, what a run would do and cost.

Headers of all files are read, pixels of a few; nothing is written. What `run` refuses before work
is refused here by the same functions, and all of it at once.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.nouns import MASKS
from cellwise.domain.records import Site
from cellwise.domain.steps import Report
from cellwise.errors import CellwiseError, InputError, PreflightError
from cellwise.flow.alike import alike_said
from cellwise.flow.forecast import forecast
from cellwise.flow.looks import Look, look_at
from cellwise.flow.measured import with_look
from cellwise.flow.pipeline.checks import check_steps
from cellwise.flow.pipeline.state import Request
from cellwise.flow.plan import understand_folder
from cellwise.flow.preflight import facts_of_reading, foresee
from cellwise.flow.proposal import Proposal, propose
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.references import writer
from cellwise.flow.recipe.resolve import resolve
from cellwise.flow.recipe.threads import settle_threads
from cellwise.flow.request import settings_of
from cellwise.stages.read.step import Reading
from cellwise.store.processor import look_at_processor
from cellwise.store.run.copies import copies_said

_SAMPLE = 3
# Whatever their labels: with and without a class, to learn and to test.
_LEAST_FIELDS = 4
# Problems, facts of each channel, and its fingerprint.
_Seen = tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]


def check_folder(
    folder: Path,
    *,
    labels: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    full: bool = False,
    workers: int = 0,
    report: Report | None = None,
) -> dict[str, Any]:
    """Everything that `cellwise check` shows, as data.

    Args:
        folder: Folder of images.
        labels: CSV with one row per field or well.
        settings: Settings by dotted path, such as `read.roles.w1`.
        recipe: Name or file of the recipe that a run would be given; None for the one that fits.
        full: Decode every image instead of a sample.
        workers: Processes of the run whose cost is told; 0 for one per core.
        report: Called while headers and pixels are read.

    Raises:
        PreflightError: The folder cannot be read at all.
        UsageError: A setting that does not fit the recipe.
    """
    if not folder.exists():
        raise PreflightError(f"There is no folder {folder}.")
    given = {**settings_of(labels=labels), **(settings or {})}
    faulty: list[CellwiseError] = []
    reading = understand_folder(folder, given, recipe=recipe, report=report, faults=faulty).reading
    refused = [_refusal(error) for error in faulty]
    unusable = _unused_labels(given, reading)
    if unusable and len(reading.usable) < _LEAST_FIELDS:
        refused.append(_too_few(len(reading.usable)))
    proposal = _proposal(reading, recipe, given, refused)
    resolved = resolve(load_recipe(proposal.recipe), _settings(given, proposal, recipe, refused))
    # As a run that began now would take them: they decide how many processes start.
    resolved = settle_threads(resolved, {}, look_at_processor().threads)
    request = Request(folder, Path(), resolved, workers=workers or os.cpu_count() or 1)
    foreseen = _foreseen(request, facts_of_reading(reading), refused)
    reading = _left(reading, foreseen.aside)
    usable = list(reading.usable)
    # Without a scale pixels say nothing.
    sample = () if not reading.scales else usable if full else _spread(usable, _SAMPLE)
    decoded = [_decode(site, folder) for site in sample]
    faults = [fault for found, _, _ in decoded for fault in found if fault["set_aside"]]
    flags = [fault for found, _, _ in decoded for fault in found if not fault["set_aside"]]
    copies = copies_said(row for _, rows, _ in decoded for row in rows)
    copies += alike_said(
        {site.id: found for site, (_, _, found) in zip(sample, decoded, strict=True)}
    )
    works = bool(usable and not faults and not refused and not foreseen.refusals)
    look = _look(request, usable, report) if works else Look()
    faults += [_fault(error) for error in look.faults]
    request = dataclasses.replace(request, recipe=with_look(request.recipe, look))
    refused += foreseen.refusals
    codes = [error.exit_code for error in faulty]
    return {
        "folder": str(folder),
        "layout": reading.layout,
        "recipe": proposal.recipe,
        "recipe_because": proposal.why,
        "channels": [{"name": c.name, "role": c.role} for c in reading.channels],
        "images": _image_facts(reading),
        "scales": {name: scale.to_json() for name, scale in reading.scales.items()},
        "counts": dict(reading.counts),
        "labels": _label_facts(reading, foreseen) or unusable,
        "problems": [
            *(_problem(problem) for problem in reading.problems),
            *(_fault(error) for error in foreseen.aside),
            *flags,
        ],
        "notes": [*reading.notes, *copies],
        "warnings": list(foreseen.warnings),
        "decoded": {"sites": len(sample), "all": full, "faults": faults},
        "refused": [dataclasses.asdict(refusal) for refusal in dict.fromkeys(refused)],
        "settled": list(request.recipe.notices) if works else [],
        "cost": forecast(request, reading, look, foreseen.disk) if works else None,
        "exit_code": (codes or [4])[0]
        if refused
        else _exit_code(reading, faults or foreseen.aside),
    }


def _left(reading: Reading, aside: Sequence[InputError]) -> Reading:
    """The folder without the fields that a step will set aside."""
    return dataclasses.replace(
        reading, status={**reading.status, **{error.path: error.code for error in aside}}
    )


def _fault(error: InputError) -> dict[str, Any]:
    """Why a field will be set aside, as data."""
    return {
        "site_id": error.path,
        "path": error.path,
        "code": error.code,
        "reason": error.reason,
        "remedy": error.remedy,
        "set_aside": True,
    }


def _look(request: Request, sites: list[Site], report: Report | None) -> Look:
    return look_at(request, sites, writer(MASKS, request.recipe.steps), report=report)


def _proposal(
    reading: Reading, recipe: str | None, given: Mapping[str, Any], refused: list[Refusal]
) -> Proposal:
    if recipe:
        return Proposal(recipe, "as asked")
    try:
        return propose(reading, given)
    except PreflightError as error:
        refused.append(_refusal(error))
        return Proposal("segment-only", "no label can be used")


def _settings(
    given: Mapping[str, Any], proposal: Proposal, recipe: str | None, refused: list[Refusal]
) -> dict[str, Any]:
    """The settings of a run; of the reading step only where the labels keep others from being used.

    What is set of steps that learn says nothing of a recipe that stands in for the one meant.
    """
    if recipe or not refused:
        return dict(given)
    steps = {step.name for step in load_recipe(proposal.recipe).steps}
    return {path: value for path, value in given.items() if path.split(".")[0] in steps}


def _too_few(count: int) -> Refusal:
    return Refusal(
        f"Too few fields: here are {count}, and to learn and to test a class takes at least 2 "
        f"labelled fields with it and 2 without it, {_LEAST_FIELDS} in all.",
        "Add labelled fields, or leave the labels out to segment only.",
        "too_few_fields",
    )


def _foreseen(request: Request, facts: FolderFacts, refused: list[Refusal]) -> Foresight:
    try:
        check_steps(request)
    except PreflightError as error:
        refused.append(_refusal(error))
    said = foresee(request, facts, request.recipe.steps)
    if not refused:
        return said
    # Without its labels a folder lacks labels: that is said already.
    kept = tuple(one for one in said.refusals if one.code != "no_labels")
    return dataclasses.replace(said, refusals=kept)


def _refusal(error: CellwiseError) -> Refusal:
    return Refusal(str(error), "", "labels" if isinstance(error, PreflightError) else "usage")


def _exit_code(reading: Reading, faults: Sequence[Any]) -> int:
    """4 where a run would come to nothing, 3 where inputs would be set aside, else 0."""
    if not reading.usable:
        return 4
    return 3 if faults or any(problem.set_aside for problem in reading.problems) else 0


def _spread(sites: list[Site], count: int) -> list[Site]:
    """A few sites, evenly spread over the list."""
    step = max(1, len(sites) // count)
    return sites[::step][:count]


def _decode(site: Site, folder: Path) -> _Seen:
    """What decoding the pixels of a site shows: why it is set aside, or odd channels; and facts."""
    from cellwise.kernels.fingerprints import fingerprint
    from cellwise.stages.segment.facts import pixel_facts
    from cellwise.store.images.fields import read_field_with_flags

    try:
        field, flags = read_field_with_flags(site, folder)
        facts = pixel_facts(field, flags)
    except InputError as error:
        return [{**_fault(error), "site_id": site.id, "path": error.path or site.id}], [], {}
    odd = [
        {
            "site_id": site.id,
            "path": site.id,
            "code": flag,
            "reason": f"channel {row['channel']} is {flag}.",
            "remedy": "",
            "set_aside": False,
        }
        for row in facts
        for flag in row["flags"]
    ]
    channels = zip(field.channels, field.pixels, strict=True)
    return odd, facts, {channel.key: fingerprint(plane) for channel, plane in channels}


def _image_facts(reading: Reading) -> dict[str, Any]:
    heads = list(reading.headers.values())
    sizes = Counter(f"{h['height']}x{h['width']}" for h in heads if h.get("height"))
    kinds = Counter(str(h["dtype"]) for h in heads if h.get("dtype"))
    pixel_sizes = sorted({s.pixel_size for s in reading.sites if s.pixel_size})
    return {
        "sizes": dict(sizes.most_common(5)),
        "dtypes": dict(kinds.most_common()),
        "pixel_sizes": pixel_sizes[:5],
        "bytes": sum(int(h.get("size") or 0) for h in heads),
    }


def _label_facts(reading: Reading, foreseen: Foresight) -> dict[str, Any] | None:
    if reading.classes is None:
        return None
    counts = Counter(name for site in reading.usable for name in site.labels or ())
    return {
        "file": reading.labels_file,
        "classes": {name: counts.get(name, 0) for name in reading.classes.names},
        "enough": [
            {**dataclasses.asdict(count), "enough": count.enough} for count in foreseen.classes
        ],
        "negative": reading.classes.negative,
        "labelled": sum(site.labels is not None for site in reading.usable),
        "unlabelled": sum(site.labels is None for site in reading.usable),
    }


def _unused_labels(given: Mapping[str, Any], reading: Reading) -> dict[str, Any] | None:
    """What stands for a labels file that is refused; None where none was given."""
    file = next((str(value) for path, value in given.items() if path.endswith(".labels")), "")
    if not file or reading.classes is not None:
        return None
    none: dict[str, Any] = {"classes": {}, "enough": [], "negative": None, "labelled": 0}
    return {"file": file, **none, "unlabelled": len(reading.usable)}


def _problem(problem: Any) -> dict[str, Any]:
    return {
        "site_id": problem.site_id,
        "path": problem.path,
        "code": problem.code,
        "reason": problem.reason,
        "remedy": problem.remedy,
        "set_aside": problem.set_aside,
    }
