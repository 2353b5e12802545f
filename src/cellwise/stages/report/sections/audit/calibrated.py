"""Which probabilities were fitted to cells that people judged, class by class."""

from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections.provenance import audited_of

_SHOWN = 12


def points(material: Material) -> list[tuple[str, str]]:
    """What may be made of the probabilities; nothing where nobody asked for judged cells."""
    told = audited_of(material.decisions, material.choices.negative_control)
    there = {name: one for name, one in told.items() if one["calibration"] == "audited"}
    others = {name: one for name, one in told.items() if name not in there}
    found = []
    if there:
        found.append(("good", _audited(material, there, every=not others)))
    if others:
        found.append(("care", _others(others)))
    return found


def _audited(material: Material, classes: dict[str, Any], *, every: bool) -> str:
    whose = "" if every else f" of {_listed(list(classes))}"
    counts = [f"{name} {one['seen']} of {one['judged']}" for name, one in classes.items()]
    of_run = (material.record.get("inputs") or {}).get("fitted")
    where = " of the run whose models were applied" if of_run else ""
    new = (
        " New fields are scored by all models together, of which no cell was judged: draw some of "
        "theirs to be sure."
    )
    return (
        f"Probabilities{whose} are audited: fitted to cells{where} drawn at random and "
        f"judged by people (cells that show the class, of those judged: {_listed(counts)}). "
        f"A judged cell has the probability of a fit without its group.{new}"
    )


def _others(classes: dict[str, Any]) -> str:
    reasons: dict[str, list[str]] = {}
    for name, one in classes.items():
        reasons.setdefault(str(one.get("why", "")), []).append(name)
    why = "; ".join(f"{_listed(names)}: {reason}" for reason, names in reasons.items())
    one = next(iter(classes.values()))["calibration"]
    what = "the model's own numbers" if one == "none" else "fitted against field labels only"
    return (
        f"Probabilities of {counted(len(classes), 'classes')} are {one}, {what} ({why}). Use them "
        "to rank and compare, not as the exact share of cells."
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
