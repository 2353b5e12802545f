"""Why a step runs again, or not at all, in words for the user."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cellwise.flow.pipeline.done import TABLE, Done
from cellwise.flow.pipeline.state import State
from cellwise.flow.recipe.references import named_steps
from cellwise.flow.recipe.resolve import Step

# Set aside for a reason that may be gone without a trace in the file itself.
PASSING = ("worker_died", "not_found", "unreadable", "unreadable_folder")


def may_have_passed(record: Done) -> bool:
    """Whether a site that was set aside deserves another try."""
    return record.error is not None and record.error["code"] in PASSING


def why_sites(
    todo: Collection[str], latest: Mapping[str, Done], keys: Mapping[str, str], *, options: str
) -> str:
    """What made sites of a step necessary; empty where the step runs for the first time.

    Args:
        todo: Sites that will be done.
        latest: The records so far.
        keys: The current keys.
        options: The options that changed, in words.
    """
    if not any(site != TABLE for site in latest):
        return ""
    known = [site for site in todo if site in latest]
    same = [site for site in known if latest[site].key == keys[site]]
    again = sum(latest[site].error is not None for site in same)
    counts = {
        "new": len(todo) - len(known),
        "changed": len(known) - len(same),
        "set aside before, tried again": again,
        "missing": len(same) - again,
    }
    words = [f"{count} {what}" for what, count in counts.items() if count]
    return "; ".join([text for text in (options, ", ".join(words)) if text])


def why_table(record: Done | None, key: str, *, options: str) -> str:
    """What made a table step necessary; empty where it runs for the first time."""
    if record is None:
        return ""
    if record.key == key:
        return "its result was missing"
    return options or "its input changed"


def not_passed_over(state: State, *, quiet: bool = False) -> Iterator[Step]:
    """The steps that this run does, in order.

    Passed over is what fits something where a finished run is applied, what needs a channel that no
    image shows, and what reads of a step that was itself passed over. `quiet` says nothing of that.
    """
    passed_over: set[tuple[str, str]] = set()
    for listed in state.request.recipe.steps:
        if state.request.fitted is not None and listed.spec.fits:
            continue
        roles = _lacking_roles(listed, state)
        step, gone = _without(listed, passed_over)
        if roles or gone:
            passed_over |= {(noun.name, listed.name) for noun in listed.spec.writes}
            why = f"no channel shows {', '.join(roles)}" if roles else f"it reads of {gone}"
            if not quiet:
                state.listener.message(f"{listed.title}: skipped, {why}")
            continue
        yield step


def _lacking_roles(step: Step, state: State) -> list[str]:
    """The roles that a step needs and no channel of this run has."""
    if not step.needs:
        return []
    roles = {channel["role"] for channel in state.reading()["channels"]}
    return [role for role in step.needs if role not in roles]


def _without(step: Step, passed_over: set[tuple[str, str]]) -> tuple[Step, str]:
    """The step without optional reads of steps that were passed over, and what it cannot miss."""
    for read in step.spec.reads:
        for option, name in named_steps(step, read):
            if (read.noun.root, name) not in passed_over:
                continue
            if not read.optional:
                return step, name
            value = step.options[option]
            rest: Any = [n for n in value if n != name] if isinstance(value, list) else ""
            step = replace(step, options={**step.options, option: rest})
    return step, ""
