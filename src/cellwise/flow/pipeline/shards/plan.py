"""What all shards of a run have in common: written by the first that comes, kept by the others."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cellwise import __version__
from cellwise.flow.pipeline.contents import content_digest, content_path
from cellwise.flow.pipeline.record import changed_options, versions
from cellwise.flow.pipeline.shards.part import home
from cellwise.flow.pipeline.state import Request, State
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json

FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What shards work on, as long as their records are not merged.

    Args:
        of: How many shards there are.
        steps: The titles of the steps that they do.
        facts: What their results depend on, see `facts_of`.
        listing: Digest of the image folder.
        contents: Hashes of images whose content became another one, by path.
        folders: Digests of other folders that options name, by their path.
    """

    of: int
    steps: tuple[str, ...]
    facts: dict[str, Any]
    listing: str
    contents: dict[str, str]
    folders: dict[str, str]


def plan_of(state: State, steps: tuple[str, ...], of: int) -> Plan:
    """The plan of a run whose folder was read."""
    facts = facts_of(state.request, state.earlier)
    return Plan(of, steps, facts, state.listing, dict(state.contents), dict(state.folders))


def write_plan(run: RunFolder, plan: Plan) -> None:
    """Write it where shards look for it."""
    write_text(home(run) / FILE, json.dumps(asdict(plan), indent=1, sort_keys=True) + "\n")


def read_plan(run: RunFolder) -> Plan | None:
    """The plan that is in force; None where no shard has begun since the last merge.

    Raises:
        FormatError: It cannot be read.
    """
    path = home(run) / FILE
    if not path.is_file():
        return None
    found = read_json(path)
    return Plan(
        of=int(found["of"]),
        steps=tuple(found["steps"]),
        facts=dict(found["facts"]),
        listing=str(found["listing"]),
        contents=dict(found["contents"]),
        folders=dict(found["folders"]),
    )


def facts_of(request: Request, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """What results depend on, beside the images: the same for each shard and for the merge.

    Args:
        request: What was asked for.
        earlier: The record of the run, for files that are gone since.
    """
    steps = {
        step.title: {"version": step.spec.version, "options": step.options}
        for step in request.recipe.steps
    }
    files = {
        f"{step.title}: {content.option}": content_digest(content, step, earlier=earlier)
        for step in request.recipe.steps
        for content in step.spec.contents
        if content.what == "file" and content_path(content, step) is not None
    }
    facts = {
        "cellwise": __version__,
        "versions": versions(),
        "images": os.path.abspath(request.folder),  # noqa: PTH100 - links stay as they are
        "seed": request.seed,
        "device": request.device,
        "keyed device": request.keyed_device or request.device,
        "fitted": str(request.fitted or ""),
        "steps": steps,
        "files": files,
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return plain


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the facts of a plan and those of a call, in words."""
    found: list[str] = []
    for name in ("cellwise", "images", "seed", "device", "keyed device", "fitted"):
        if before.get(name) != now.get(name):
            found.append(f"{name}: {before.get(name)} -> {now.get(name)}")
    found += [f"{name}: {a} -> {b}" for name, a, b in _pairs(before, now, "versions")]
    steps, after = list(before.get("steps", {})), list(now.get("steps", {}))
    if sorted(steps) != sorted(after):
        found.append(f"steps: {', '.join(steps)} -> {', '.join(after)}")
        return found
    for title, a, b in _pairs(before, now, "steps"):
        found += [f"{title}.{change}" for change in changed_options(a["options"], b["options"])]
        if a["version"] != b["version"]:
            found.append(f"{title}: version {a['version']} -> {b['version']}")
    found += [f"{name}: another content" for name, *_ in _pairs(before, now, "files")]
    return found


def _pairs(
    before: Mapping[str, Any], now: Mapping[str, Any], word: str
) -> list[tuple[str, Any, Any]]:
    """The entries of a table that differ, with both values."""
    a, b = before.get(word) or {}, now.get(word) or {}
    return [(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)]
