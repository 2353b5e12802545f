"""What a run will do, worked out before any work: `check` shows it and `run` carries it out.

A folder is walked once and the header of each image opened once; on a resume nothing is opened
where paths, sizes and times are as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellwise.domain.nouns import SITES
from cellwise.domain.specs import WHOLE
from cellwise.domain.steps import Report
from cellwise.errors import CellwiseError, PreflightError
from cellwise.flow.pipeline.contents import content_path, earlier_digest, files_digest, held_digest
from cellwise.flow.pipeline.files.listed import Listed, list_files
from cellwise.flow.pipeline.inputs import site_keys
from cellwise.flow.pipeline.keys import combine
from cellwise.flow.pipeline.record import changed_options
from cellwise.flow.pipeline.state import Request, State, log_name
from cellwise.flow.proposal import WITHOUT_LABELS
from cellwise.flow.recipe.kinds import defaults, kinds, spec_of, step_module
from cellwise.flow.recipe.load import RawRecipe, RawStep, load_recipe
from cellwise.flow.recipe.references import named_place, named_steps, uses, writer
from cellwise.flow.recipe.resolve import Recipe, Step, resolve
from cellwise.store.run.folder import RunFolder

_THREADS = 4


@dataclass(frozen=True, slots=True)
class Understood:
    """A folder as the opening step of a recipe understands it.

    Args:
        listing: Its files, as they were before the images were looked at.
        step: The step that was asked, with its options.
        reading: What it found, a `stages.read` reading.
    """

    listing: Listed
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
    folder: Path,
    given: Mapping[str, Any],
    *,
    recipe: str | None = None,
    report: Report | None = None,
    faults: list[CellwiseError] | None = None,
) -> Understood:
    """Look at a folder of images without writing anything.

    Args:
        folder: The folder.
        given: Settings by dotted path; those of other steps are left out.
        recipe: Whose first step looks; None where none is chosen yet.
        report: Called while headers are read.
        faults: Takes what is wrong with its channels, intensities and labels, read past, for
            whoever wants to know all of it; None raises it.

    Raises:
        PreflightError: The folder cannot be used.
        UsageError: An unknown option, or a value it cannot take.
    """
    step = opening_step(given, recipe)
    listing = list_files(folder)
    request = Request(folder, Path(), Recipe(step.name, "", (step,)), workers=_THREADS)
    module = step_module(step.kind)
    reading = module.prepare(request.job(step, ""), report or _quiet, faults=faults)
    return Understood(listing, step, reading)


def opening_step(given: Mapping[str, Any], recipe: str | None = None) -> Step:
    """The step that reads a folder, with these settings, also where no recipe is chosen yet."""
    raw = load_recipe(recipe or WITHOUT_LABELS)
    first = raw.steps[0]
    own = {path: value for path, value in given.items() if path.split(".")[0] == first.name}
    return resolve(RawRecipe(raw.name, "", (first,), {}), own).steps[0]


def recipe_from_record(
    record: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> RawRecipe:
    """The raw recipe that an earlier run resolved.

    Args:
        record: The content of its `run.json`.
        given: Settings by dotted path that will be applied to it.
    """
    steps = tuple(
        RawStep(
            step["kind"],
            {**_kept(step, given or {}), "as": step["name"], "needs": step.get("needs", [])},
        )
        for step in record["recipe"]["steps"]
    )
    return RawRecipe(record["recipe"]["name"], "", steps, {}, of_run=True)


def _kept(step: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded options of a step; without those of a part whose place another one takes."""
    options = dict(step["options"])
    spec = spec_of(step["kind"])
    words = (f"{step['kind']}.name", f"{step['name']}.name")
    part = next((given[word] for word in words if word in given), options.get("name"))
    if WHOLE not in spec.shelves or part == options.get("name"):
        return options
    return {name: value for name, value in options.items() if name in defaults(spec)}


def what_is_redone(state: State) -> list[str]:
    """Sentences on what a resumed run does again, and what may follow from that.

    Only of steps that the run before had begun. A file outside the run counts by its content,
    wherever it lies now.

    Args:
        state: Of a run that has done nothing yet.
    """
    earlier, request = state.earlier, state.request
    if not earlier.get("steps"):
        return []
    recipe = request.recipe
    sentences = []
    begun: list[Step] = []
    for step in recipe.steps:
        has_records = (RunFolder(request.out).done / f"{log_name(step)}.jsonl").is_file()
        if not has_records or (request.fitted and step.spec.fits):
            continue
        changes = _changes(step, earlier, request)
        if not begun and not changes and _keyed_otherwise(step, state):
            changes = [f"cellwise does it differently since (version {step.spec.version})"]
        if changes:
            sentences.append(f"{step.title} is done again: {'; '.join(changes)}")
            begun.append(step)
    if (earlier.get("inputs") or {}).get("listing_sha256") not in (None, state.listing):
        sentences.append("The image folder changed: new and changed fields are worked on")
        begun += [step for step in recipe.steps if SITES in step.spec.writes]
    left = _left_as_they_are(earlier, recipe)
    follows = [step.title for step in _following(begun, recipe)]
    if sentences and follows:
        sentences[-1] += f"; what follows is looked at again: {', '.join(follows)}"
    if left:
        sentences.append(
            "Not in this recipe, so that their results stay as they were, of earlier settings: "
            + ", ".join(left)
        )
    return [f"{sentence}." for sentence in sentences]


def refuse_stale_results(state: State) -> None:
    """Refuse to change what results rest on that this recipe would leave as they are.

    Args:
        state: Of a run that has done nothing yet.

    Raises:
        PreflightError: Names the files, the steps that made them and the ways out.
    """
    earlier, recipe = state.earlier, state.request.recipe
    now = {(step.kind, step.name) for step in recipe.steps}
    done = [(facts["kind"], facts["name"]) for facts in earlier.get("steps", [])]
    left = [(kind, name) for kind, name in done if (kind, name) not in now and kind in kinds()]
    # What is fitted serves later steps; what they make of it is what people read.
    read = [(kind, name) for kind, name in left if not spec_of(kind).fits]
    places = [named_place(noun, n, kind=kind) for kind, n in read for noun in spec_of(kind).writes]
    # What lies in a folder is named by its step; these files speak for the whole run.
    stale = [p for p in places if "/" not in p and (state.run.path / p).is_file()]
    if not stale:
        return
    changed = [step for step in recipe.steps if _changes(step, earlier, state.request)]
    if (earlier.get("inputs") or {}).get("listing_sha256") not in (None, state.listing):
        changed += [step for step in recipe.steps if SITES in step.spec.writes]
    rest_on = {one.noun.root for kind, _ in read for one in spec_of(kind).reads}
    touched = [
        step.title
        for step in (*changed, *_following(changed, recipe))
        if rest_on & {noun.name for noun in step.spec.writes}
    ]
    if touched:
        raise PreflightError(
            f"{state.run.path} holds {', '.join(stale)} of steps that the recipe {recipe.name} has "
            f"not, and {', '.join(touched)} would be done again beneath them. Choose another "
            "--out, or delete these files first."
        )


def _left_as_they_are(earlier: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """Steps that the run before did and this recipe has not."""
    now = {(step.kind, step.name) for step in recipe.steps}
    done = [(facts["kind"], facts["name"]) for facts in earlier.get("steps", [])]
    gone = [pair for pair in done if pair not in now]
    return [kind if kind == name else f"{kind} {name}" for kind, name in gone]


def _changes(step: Step, earlier: Mapping[str, Any], request: Request) -> list[str]:
    """Why the results of a step no longer count; empty where they do."""
    steps = (earlier.get("recipe") or {}).get("steps", [])
    known = next((s for s in steps if (s["kind"], s["name"]) == (step.kind, step.name)), None)
    if known is None:
        return []
    before, after = dict(known["options"]), dict(step.options)
    changes = []
    for content in step.spec.contents:
        if content.what == "folder" or not content.recorded or content.apart:
            continue
        path = content_path(content, step)
        held = held_digest(earlier, step, content)
        # A file that is gone since counts by what it held.
        now = path and (files_digest(path, content) or earlier_digest(earlier, step, content))
        if before.get(content.option) and now:
            before.pop(content.option), after.pop(content.option)
            if now != held:
                changes.append(f"{content.option}: another content")
    changes = [*changed_options(before, after), *changes]
    seeds = int(earlier.get("seed", 0)), request.seed
    if step.spec.draws and seeds[0] != seeds[1]:
        changes.append(f"seed: {seeds[0]} -> {seeds[1]}")
    device = earlier.get("keyed_device") or earlier.get("device")
    named = request.keyed_device or request.device
    if step.spec.device and device not in (None, named):
        changes.append(f"device: {device} -> {named}")
    if known.get("version") not in (None, step.spec.version):
        changes.append(f"cellwise does it differently since (version {step.spec.version})")
    return changes


def _keyed_otherwise(step: Step, state: State) -> bool:
    """Whether a step that needs nothing but images has other keys than a record without versions.

    Records of older cellwise say no version; the sites of the run before still tell its keys.
    """
    steps = state.earlier["recipe"]["steps"]
    known = {(s["kind"], s["name"]): "version" in s for s in steps}
    only_files = all(
        read.noun.root == SITES.name and read.noun.per_site for read in step.spec.reads
    )
    if known.get((step.kind, step.name), True) or step.spec.grain != "site" or not only_files:
        return False
    done = [s for s in state.earlier["steps"] if (s["kind"], s["name"]) == (step.kind, step.name)]
    if not done or not state.run.sites.is_file():
        return False
    keys = site_keys(step, state=state)
    return bool(done[0]["key"] != combine(keys[site] for site in sorted(keys)))


def _following(begun: list[Step], recipe: Recipe) -> list[Step]:
    """The steps that read, directly or through others, what these write."""
    touched = {step.title for step in begun}
    following = []
    for place, step in enumerate(recipe.steps):
        earlier = recipe.steps[:place]
        for read in (*step.spec.reads, *step.spec.finish_reads):
            names = [name for _, name in named_steps(step, read)] if read.by else [""]
            sources = [writer(read.noun, earlier, name) for name in names]
            if uses(step, read) and any(s is not None and s.title in touched for s in sources):
                touched.add(step.title)
        if step.title in touched and step not in begun:
            following.append(step)
    return following


def _quiet(done: int, total: int, note: str) -> None:
    """Nobody watches."""
