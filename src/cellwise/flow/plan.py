"""What a run will do, worked out before any work: `check` shows it and `run` carries it out.

A folder is walked once and the header of each image opened once; on a resume nothing is opened
where paths, sizes and times are as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellwise.domain.nouns import SITES
from cellwise.domain.steps import Report
from cellwise.errors import PreflightError
from cellwise.flow.pipeline.keys import listing_digest
from cellwise.flow.pipeline.record import changed_options, earlier_options
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.load import RawRecipe, RawStep, load_recipe, recipe_names
from cellwise.flow.recipe.references import uses, writer
from cellwise.flow.recipe.resolve import Recipe, Step, resolve

# Its first step understands a folder before anything else is known of it.
_WITHOUT_LABELS = "segment-only"
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Understood:
    """A folder as the opening step of a recipe understands it.

    Args:
        listing: Digest of paths, sizes and times, taken before the images were looked at.
        step: The step that was asked, with its options.
        reading: What it found, a `stages.read` reading.
    """

    listing: str
    step: Step
    reading: Any

    def given_to(self, request: Request) -> Request:
        """The request that need not look again, if its recipe would look in the same way."""
        steps = request.recipe.steps
        same = [s for s in steps if s.title == self.step.title and s.options == self.step.options]
        if not same:
            return replace(request, listing=self.listing)
        return replace(request, listing=self.listing, prepared={same[0].title: self.reading})


def understand_folder(
    folder: Path, given: Mapping[str, Any], *, report: Report | None = None
) -> Understood:
    """Look at a folder of images without writing anything.

    Args:
        folder: The folder.
        given: Settings by dotted path; those of other steps are left out.
        report: Called while headers are read.

    Raises:
        PreflightError: The folder cannot be used.
        UsageError: An unknown option, or a value it cannot take.
    """
    step = opening_step(given)
    listing = listing_digest(folder)
    recipe = Recipe(step.name, "", (step,))
    request = Request(folder, Path(), recipe, workers=_THREADS)
    reading = step_module(step.kind).prepare(request.job(step, ""), report or _quiet)
    return Understood(listing, step, reading)


def opening_step(given: Mapping[str, Any]) -> Step:
    """The step that reads a folder where no recipe is chosen yet, with these settings."""
    raw = load_recipe(_WITHOUT_LABELS)
    first = raw.steps[0]
    own = {path: value for path, value in given.items() if path.split(".")[0] == first.name}
    return resolve(RawRecipe(raw.name, "", (first,), {}), own).steps[0]


def recommended_recipe(reading: Any) -> tuple[str, str]:
    """The recipe that `run` would take for a folder, and why.

    Raises:
        PreflightError: Labels are given, and none of them is about a field of this folder.
    """
    if not any(site.labels is not None for site in reading.usable):
        if reading.labels_file:
            raise PreflightError(
                f"{reading.labels_file} labels none of the {len(reading.usable)} usable fields "
                f"({reading.counts.get('label_rows', 0)} rows; {_some_ids(reading)}). Mend its key "
                "or label column, or leave the labels out to segment only."
            )
        return _WITHOUT_LABELS, "no labels"
    known = recipe_names()
    hpa = reading.layout == "hpa" or reading.class_list == "hpa19"
    if hpa and "hpa-quick" in known:
        return "hpa-quick", "the classes of the HPA challenge"
    if reading.layout == "rxrx1" and "rxrx1-quick" in known:
        return "rxrx1-quick", "laid out as RxRx1"
    return "plate-quick", "fields with labels"


def recipe_from_record(record: Mapping[str, Any]) -> RawRecipe:
    """The raw recipe that an earlier run resolved."""
    steps = tuple(
        RawStep(
            step["kind"], {**step["options"], "as": step["name"], "needs": step.get("needs", [])}
        )
        for step in record["recipe"]["steps"]
    )
    return RawRecipe(record["recipe"]["name"], "", steps, {}, of_run=True)


def what_is_redone(earlier: Mapping[str, Any], recipe: Recipe, listing: str) -> list[str]:
    """Sentences on what a resumed run does again, and what follows from that.

    Args:
        earlier: The record of the run before, empty for a new folder.
        recipe: What is to be done now.
        listing: Digest of the image folder as it is now.
    """
    if not earlier.get("steps"):
        return []
    before = earlier_options(earlier)
    versions = {
        (step["kind"], step["name"]): step.get("version")
        for step in (earlier.get("recipe") or {}).get("steps", [])
    }
    sentences = []
    begun: list[Step] = []
    for step in recipe.steps:
        known = before.get(f"{step.kind}-{step.name}")
        changes = changed_options(known, step.options)
        version = versions.get((step.kind, step.name))
        if known is not None and version not in (None, step.spec.version):
            changes.append(f"cellwise does it differently since (version {step.spec.version})")
        if known is not None and changes:
            sentences.append(f"{step.title} is done again: {'; '.join(changes)}")
            begun.append(step)
    if (earlier.get("inputs") or {}).get("listing_sha256") not in (None, listing):
        sentences.append("The image folder changed: new and changed fields are worked on")
        begun += [step for step in recipe.steps if SITES in step.spec.writes]
    follows = [step.title for step in _following(begun, recipe)]
    if sentences and follows:
        sentences[-1] += f"; what follows is looked at again: {', '.join(follows)}"
    return [f"{sentence}." for sentence in sentences]


def _following(begun: list[Step], recipe: Recipe) -> list[Step]:
    """The steps that read, directly or through others, what these write."""
    touched = {step.title for step in begun}
    following = []
    for place, step in enumerate(recipe.steps):
        earlier = recipe.steps[:place]
        for read in step.spec.reads:
            names = [str(step.options.get(option) or "") for option in read.by] or [""]
            sources = [writer(read.noun, earlier, name) for name in names]
            if uses(step, read) and any(s is not None and s.title in touched for s in sources):
                touched.add(step.title)
        if step.title in touched and step not in begun:
            following.append(step)
    return following


def _some_ids(reading: Any) -> str:
    ids = [site.raw_id for site in reading.usable[:3]]
    return f"fields are called {', '.join(ids)}" if ids else "no field is usable"


def _quiet(done: int, total: int, note: str) -> None:
    """Nobody watches."""
