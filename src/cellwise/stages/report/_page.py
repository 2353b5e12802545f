"""The page: sections in their order, filled into templates that escape every name."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cellwise.stages.report.drawing.svg import shades, short
from cellwise.stages.report.material import WELL, Material
from cellwise.stages.report.sections import (
    audit,
    candidates,
    cell_labels,
    classes,
    control,
    curation,
    doses,
    galleries,
    inputs,
    known,
    maps,
    plates,
    provenance,
    replicates,
    screen,
    segmentation,
    splits,
    variability,
    verdict,
)
from cellwise.stages.report.sections.single_cells import patterns, reliability, sets
from cellwise.store.run.folder import run_title

# Tables of more classes than this are folded up.
_MANY = 24

Section = Callable[[Material], dict[str, Any]]

SECTIONS: tuple[tuple[str, str, Section], ...] = (
    ("verdict", "What may be trusted", verdict.context),
    ("inputs", "What went in, what was set aside", inputs.context),
    ("curation", "Fields not used for training", curation.context),
    ("segmentation", "Outlines of cells", segmentation.context),
    ("known", "Outlines against known masks", known.context),
    ("screen", "Wells of the screen", screen.context),
    ("plates", "Plate maps", plates.context),
    ("doses", "Dose-response", doses.context),
    ("classes", "Results per class", classes.context),
    ("reliability", "Do the probabilities mean what they say?", reliability.context),
    ("galleries", "Cells to look at", galleries.context),
    ("maps", "Where each class was seen", maps.context),
    ("sets", "What single cells may show", sets.context),
    ("audit", "Labels to doubt", audit.context),
    ("cell_labels", "How cells were labelled", cell_labels.context),
    ("candidates", "Labels of cells to look at", candidates.context),
    ("patterns", "How many cells show what", patterns.context),
    ("variability", "Variability between cells", variability.context),
    ("replicates", "Replicates and position on the plate", replicates.context),
    ("control", "Negative control", control.context),
    ("splits", "Split and leaks", splits.context),
    ("provenance", "How this was made", provenance.context),
)
# Sections of steps that few runs have.
ONLY_WHERE_MADE = ("curation", "screen", "maps", "cell_labels", "candidates")
# What a run that gives no classes can speak of; `known` and `plates` only where there are any.
_OUTLINES = ("verdict", "inputs", "segmentation", "known", "plates", "provenance")

# What a run that looks at whole sites can speak of.
_OF_WELLS = ("verdict", "inputs", "screen", "classes", "splits", "provenance")


def sections_of(material: Material) -> tuple[tuple[str, str, Section], ...]:
    """The sections of this run's page, in order."""
    if material.of_wells:
        return tuple(entry for entry in SECTIONS if entry[0] in _OF_WELLS)
    if not material.outlines_only:
        made = (
            curation.was_asked(material),
            screen.was_judged(material),
            bool(material.class_maps),
            cell_labels.was_learned(material),
            bool(material.candidates),
        )
        there = dict(zip(ONLY_WHERE_MADE, made, strict=True))
        return tuple(entry for entry in SECTIONS if there.get(entry[0], True))
    absent = set()
    if not known.was_compared(material):
        absent.add("known")
    if material.sites is None or WELL not in material.sites.columns:
        absent.add("plates")
    wanted = [name for name in _OUTLINES if name not in absent]
    return tuple(entry for entry in SECTIONS if entry[0] in wanted)


def render(material: Material, report: Callable[[int, int, str], None]) -> str:
    """The whole page as HTML; `report(done, total, note)` is called before each section."""
    environment = Environment(
        loader=PackageLoader("cellwise.stages.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "percent": _percent, "count": _count, "time": _time}
    environment.filters["figure"] = _figure
    environment.globals["many"] = _MANY
    filled = []
    sections = sections_of(material)
    for number, (name, title, section) in enumerate(sections):
        report(number, len(sections), title.lower())
        context = section(material)
        body = ""
        if "empty" not in context:
            body = environment.get_template(f"{name}.html").render(**context)
        filled.append(
            {
                "id": name,
                "title": title,
                "empty": context.get("empty", ""),
                # The body was escaped where it was made.
                "body": Markup(body),
            }
        )
    report(len(sections), len(sections), "done")
    page = environment.get_template("page.html")
    return page.render(
        sections=filled, name=run_title(material.record), material=material, shades=shades()
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _figure(value: float | None) -> str:
    """A score of 0..1 with three decimals."""
    return "–" if value is None else f"{value:.3f}"


def _count(number: float) -> str:
    return f"{int(number):,}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 120 else f"{minutes} min {rest} s"
