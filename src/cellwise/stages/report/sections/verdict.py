"""The verdict: what may be trusted, what not, and why, in words and with its n."""

from typing import Any

import polars as pl

from cellwise.domain.held_out import TOO_GOOD, labels_pass_on
from cellwise.domain.plain_words import by_number, counted
from cellwise.stages.report._results import ClassResult, class_results
from cellwise.stages.report._warnings import together
from cellwise.stages.report.drawing.svg import short
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections import control, known, label_context, replicates
from cellwise.stages.report.sections.audit import calibrated
from cellwise.stages.report.sections.provenance import calibration, each_class

_SHOWN = 12
# A larger share of cells cut by their window is worth a warning.
_MOST_CUT = 0.1


def context(material: Material) -> dict[str, Any]:
    """One opening sentence, the classes by judgement, and the points to bear in mind."""
    results = class_results(material)
    groups = []
    for key, title in (
        ("good", "May be trusted"),
        ("care", "With care"),
        ("bad", "Do not use"),
        ("few", "Too few examples"),
    ):
        chosen = [result for result in results if result.judgement == key]
        if chosen:
            reasons = _by_reason(chosen)
            groups.append(
                {
                    "css": "bad" if key == "few" else key,
                    "title": title,
                    "wide": key == "few",
                    "classes": reasons[:_SHOWN],
                    "hidden": sum(len(names) for names, _ in reasons[_SHOWN:]),
                }
            )
    return {
        "opening": _opening(material, results),
        "groups": groups,
        "about_fields": bool(results) and calibration(material) != "audited",
        "points": _points(material),
    }


def _by_reason(results: list[ClassResult]) -> list[tuple[list[str], str]]:
    """Names of classes, and why they are judged so; those of the same reason together."""
    names: dict[str, list[str]] = {}
    for result in results:
        names.setdefault(result.why, []).append(result.name)
    return [(own, why) for why, own in names.items()]


def _of_wells(material: Material) -> str:
    """How many wells that nothing was learned from got the right treatment, by the images alone."""
    facts = material.evaluation["screen"]
    for role, words in (("out_of_batch", "new experiments"), ("in_batch", "known experiments")):
        figure = material.metrics.get(f"{role}_accuracy_free")
        if figure is not None and figure["value"] is not None:
            chance = facts[role]["chance"]
            between = ""
            if figure["low"] is not None:
                between = f" ({100 * figure['low']:.0f} % to {100 * figure['high']:.0f} %)"
            return (
                f"Of {counted(figure['n'], 'wells')} of {words}, which nothing was learned from, "
                f"{100 * figure['value']:.0f} %{between} got the right treatment from the images "
                f"alone; a guess would be right in {_chance(chance)} %."
            )
    return (
        "Every well got a treatment, and nothing in this run can test them: no well with a known "
        "treatment was left out of the training."
    )


def _chance(share: float) -> str:
    """In percent; of thousands of treatments not 0."""
    return f"{100 * share:.0f}" if share >= 0.01 else f"{100 * share:.1g}"


def _opening(material: Material, results: list[ClassResult]) -> str:
    if material.sites is None:
        return "This run has read no images yet, so there is nothing to judge."
    if material.of_wells:
        return _of_wells(material)
    if material.n_cells == 0:
        return (
            f"No cell was found in {counted(material.n_sites, 'fields')}. Look at the outlines "
            "below and at what was set aside before you use anything from this run."
        )
    found = f"{counted(material.n_cells, 'cells')} in {counted(material.n_sites, 'fields')}"
    if not material.classes:
        return (
            f"This run outlined {found}; it gave no classes. The cells and their measurements "
            "may be used as far as the outlines below convince you."
        )
    if not results:
        return (
            f"This run gave {found} a probability for {each_class(material.classes)}. "
            "Nothing in this run can test them: there are no labels here to compare with."
        )
    good = [result.name for result in results if result.judgement == "good"]
    doubt = len(results) - len(good)
    if not good:
        what = f"None of the {len(results)} classes" if len(results) > 1 else "The one class"
        no = "" if len(results) > 1 else " not"
        return f"{what} may{no} be trusted as it stands ({found})."
    names = _listed(good)
    rest = "" if not doubt else f" Be careful with the other {doubt}; the reasons stand below."
    return (
        f"The classes {names} may be trusted ({found}).{rest}"
        if len(good) > 1
        else f"The class {names} may be trusted ({found}).{rest}"
    )


def _listed(names: list[str]) -> str:
    if len(names) > _SHOWN:
        return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _points(material: Material) -> list[tuple[str, str]]:
    points = []
    if material.classes:
        points.extend(calibrated.points(material) or [_calibration(material)])
        points.extend(label_context.points(material))
        if labels_pass_on(material.record.get("steps") or []):
            points.append(("care", TOO_GOOD))
    points.append(_set_aside(material))
    if material.cells is not None and material.n_cells:
        points.append(_outlines(material))
        points.extend(_crops(material))
    points.extend(("bad", str(words)) for words in material.record.get("unlike") or [])
    points.extend(known.points(material))
    points.extend(_leaks(material))
    points.extend(("care", str(words)) for words in material.evaluation.get("warnings") or [])
    points.extend(_controls_apart(material))
    told = control.verdict(material)
    return [*points, told] if told else points


def _calibration(material: Material) -> tuple[str, str]:
    kind = calibration(material)
    if kind == "none":
        return "care", (
            "Probabilities have no calibration (none): they are the model's own numbers. Use "
            "them to rank cells, and for nothing else."
        )
    return "care", (
        "Probabilities are weak: they were fitted against field labels, and no person has judged "
        "single cells. Use them to rank and compare, not as the exact share of cells."
    )


def _set_aside(material: Material) -> tuple[str, str]:
    n = len(material.quarantine)
    if not n:
        return "good", "Every file that was found could be read."
    was = by_number(n, "was", "were")
    part = by_number(n, "is", "are")
    return "care", f"{counted(n, 'inputs')} {was} set aside and {part} part of no number."


def _outlines(material: Material) -> tuple[str, str]:
    assert material.cells is not None
    touching, n = int(material.cells["border"].sum()), material.n_cells
    empty = material.n_sites - material.cells["site_id"].n_unique()
    touch = by_number(
        touching, "touches the edge of its field and is", "touch the edge of their field and are"
    )
    words = f"{touching:,} of {counted(n, 'cells')} {touch} seen in part."
    if empty:
        return "care", f"{words} No cell in {empty:,} of {counted(material.n_sites, 'fields')}."
    return ("care" if touching > 0.4 * n else "good"), words


def _crops(material: Material) -> list[tuple[str, str]]:
    """How much of each cell models see, where all cells are cut out with one window."""
    steps = (material.record.get("recipe") or {}).get("steps") or []
    options: dict[str, Any] = next((s["options"] for s in steps if s.get("kind") == "cells"), {})
    window = options.get("window")
    if not material.classes or not isinstance(window, int | float) or material.cells is None:
        return []
    sides = pl.max_horizontal(pl.col("y1") - pl.col("y0"), pl.col("x1") - pl.col("x0"))
    cut, n = int(material.cells.select((sides > window).sum()).item()), material.n_cells
    words = f"Models see {window:g} px of the field around each cell; {cut:,} of {n:,} are larger"
    if cut > _MOST_CUT * n:
        return [("care", f"{words} and are cut: --set cells.window=auto measures how large it is.")]
    return [("good", f"{words}.")]


def _controls_apart(material: Material) -> list[tuple[str, str]]:
    points = []
    for row in material.evaluation.get("screen_quality") or []:
        value = row.get("z_prime")
        if value is None:
            continue
        n = f"n = {row['n_positive']} positive and {row['n_negative']} negative wells"
        if value >= replicates.GOOD_Z:
            points.append(("good", f"Control wells stand well apart: Z′ {short(value)} ({n})."))
        else:
            css = "care" if value > 0 else "bad"
            points.append((css, f"Control wells do not stand well apart: Z′ {short(value)} ({n})."))
    return points


def _leaks(material: Material) -> list[tuple[str, str]]:
    account = material.split
    warnings = [str(warning) for warning in account.get("warnings") or []]
    points = [("care", words) for words in together(warnings)]
    leaking = [
        row for row in account.get("leaks") or [] if row.get("used") and row.get("straddling")
    ]
    for row in leaking:
        points.append(
            (
                "bad",
                f"{row['straddling']} of {counted(row['values'], 'values')} of {row['column']} "
                f"{by_number(row['straddling'], 'was', 'were')} both "
                "learned from and tested on: the results are too good to be true.",
            )
        )
    return points
