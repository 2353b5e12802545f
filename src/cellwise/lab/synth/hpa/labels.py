"""Protein to sample to images to cells: the weak-label model of the HPA world.

Source: figures 7.5 of the field notes. A sample is one protein in one cell line, seen in one to six
images that all carry the sample's labels. What is given, what is missed and what is true of every
cell is decided here, without a pixel: 20,000 fields take seconds.
"""

from dataclasses import dataclass, replace

import numpy as np

from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.foreign.sets import foreign_sets
from cellwise.lab.synth.hpa.cell_lines import draw_cell_lines, draw_count, line_density
from cellwise.lab.synth.hpa.label_annotator import Annotator, Verdict, make_annotator
from cellwise.lab.synth.hpa.label_families import family_sets
from cellwise.lab.synth.hpa.label_sets import (
    NEGATIVE,
    SPINDLE,
    Flags,
    LabelSet,
    LabelSets,
    empirical_sets,
)
from cellwise.lab.synth.hpa.protein import Cells, Protein, draw_cells, draw_protein, images_with
from cellwise.lab.synth.plan import CellLine
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.severity import Severity

# Labels are given for what is seen; a rare pattern needs many draws until enough images show it.
_TRIES = 400
_EVEN = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, slots=True, eq=False)
class LabelModel:
    """Everything that the samples of a world have in common.

    Args:
        seed: Of the world.
        severity: Its knobs.
        side_um: Side of a field in micrometres.
        sets: Distribution of label sets (of given ones; with families, of proteins).
        annotator: Who gives the labels.
        lines: Cell lines.
    """

    seed: int
    severity: Severity
    side_um: float
    sets: LabelSets
    annotator: Annotator
    lines: tuple[CellLine, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One protein in one cell line, with all its images.

    Args:
        names: Name of the sample's random stream, for what is drawn later.
        line: Number of the cell line.
        verdict: Labels given and what lies behind them.
        protein: The protein.
        counts: Cells per image.
        cells: The cells of all images, image after image.
        seen: Which image shows which class, `[image, class]`.
        agreed: Every label that should be seen in enough images is; False is a rare failure.
    """

    names: tuple[str | int, ...]
    line: int
    verdict: Verdict
    protein: Protein
    counts: tuple[int, ...]
    cells: Cells
    seen: Flags
    agreed: bool

    def image(self, number: int) -> slice:
        """The cells of one image."""
        start = sum(self.counts[:number])
        return slice(start, start + self.counts[number])


def make_label_model(seed: int, severity: Severity, *, side_um: float) -> LabelModel:
    """The label model of a world."""
    if isinstance(severity, ForeignSeverity):
        sets, lines = foreign_sets(severity), draw_cell_lines(seed, severity.lines)
    else:
        sets = family_sets() if severity.families else empirical_sets()
        lines = draw_cell_lines(seed)
    return LabelModel(seed, severity, side_um, sets, make_annotator(sets, severity), lines)


def draw_sample(
    model: LabelModel,
    *names: str | int,
    at_most: int | None = None,
    sets: LabelSets | None = None,
) -> Sample:
    """The sample of this name, the same whatever was drawn before it.

    Args:
        model: The world.
        names: What the sample is called.
        at_most: Largest number of images.
        sets: Draw the label set from these instead of the model's.
    """
    rng = generator(model.seed, "sample", *names)
    severity = model.severity
    place, many = _even_places(model.seed, names)
    drawn = sets.at(rng.random()) if sets else model.sets.at(place)
    if isinstance(severity, ForeignSeverity):
        verdict = Verdict(drawn, () if drawn == (NEGATIVE,) else drawn, (), ())
    elif severity.families:
        verdict = model.annotator.annotate(drawn, severity, rng)
    else:
        verdict = model.annotator.judge(drawn, rng)
    line = int(rng.integers(len(model.lines)))
    images = 1 + int(np.searchsorted(np.cumsum(severity.images)[:-1], many, side="right"))
    thick = severity.lines.density if isinstance(severity, ForeignSeverity) else 1.0
    density = line_density(line, len(model.lines))
    counts = tuple(
        draw_count(density, side_um=model.side_um, rng=rng, thick=thick)
        for _ in range(min(images, at_most or images))
    )
    if isinstance(severity, ForeignSeverity):
        return _annotated(model, names, line, verdict, counts, severity, rng)
    best: tuple[int, Protein, Cells, Flags] | None = None
    for _ in range(_TRIES):
        protein = draw_protein(verdict, severity, gain=model.lines[line].gains[1], rng=rng)
        cells = draw_cells(protein, sum(counts), severity, rng)
        seen = images_with(cells.shown, counts)
        unseen = _unseen(verdict, seen, severity)
        if best is None or unseen < best[0]:
            best = (unseen, protein, cells, seen)
        if unseen == 0:
            break
    assert best is not None
    return Sample(names, line, verdict, best[1], counts, best[2], best[3], best[0] == 0)


def _annotated(
    model: LabelModel,
    names: tuple[str | int, ...],
    line: int,
    drawn: Verdict,
    counts: tuple[int, ...],
    severity: ForeignSeverity,
    rng: np.random.Generator,
) -> Sample:
    """Cells first, labels second: what the annotator's rule finds, with his mistakes.

    Where cells show something and the rule finds nothing, the protein is drawn again: nobody would
    call such a field negative. Where no cell shows anything it is called so.
    """
    for _ in range(_TRIES):
        protein = draw_protein(drawn, severity, gain=model.lines[line].gains[1], rng=rng)
        cells = draw_cells(protein, sum(counts), severity, rng)
        seen = images_with(cells.shown, counts, least=severity.least_cells)
        found = _found(drawn.protein, seen, severity)
        if found or not cells.shown.any():
            break
    else:
        found = (int(cells.shown.sum(0).argmax()),)
    judged = model.annotator.annotate(found, severity, rng)
    own, given = set(drawn.protein), set(judged.given) - {NEGATIVE}
    verdict = Verdict(
        judged.given, drawn.protein, tuple(sorted(given - own)), tuple(sorted(own - given))
    )
    return Sample(names, line, verdict, protein, counts, cells, seen, agreed=True)


def _found(labels: LabelSet, seen: Flags, severity: Severity) -> LabelSet:
    """Labels of the protein that enough images show; of a spindle one is enough."""
    enough = seen.sum(0) > severity.majority * len(seen)
    enough[SPINDLE] = seen[:, SPINDLE].any()
    return tuple(k for k in labels if enough[k])


def draw_samples(model: LabelModel, *, images: int) -> list[Sample]:
    """Samples 0, 1, ... until there are `images` images."""
    samples: list[Sample] = []
    have = 0
    while have < images:
        samples.append(draw_sample(model, len(samples), at_most=images - have))
        have += len(samples[-1].counts)
    return samples


def with_scv(severity: Severity, scv: float | None) -> Severity:
    """The severity with another share of varying labels."""
    return severity if scv is None else replace(severity, scv=scv)


def _even_places(seed: int, names: tuple[str | int, ...]) -> tuple[float, float]:
    """Two places 0..1 for the sample, spread evenly over samples of consecutive numbers.

    Sets and numbers of images then have their shares also in a world of a few dozen samples, where
    independent draws would miss half of the classes.

    Source: Kronecker sequence of the plastic number (Roberts 2018, R2).
    """
    number = names[-1] if isinstance(names[-1], int) else 0
    start = generator(seed, "places", *names[:-1]).random(2)
    places = (start + number * np.array(_EVEN)) % 1.0
    return float(places[0]), float(places[1])


def _unseen(verdict: Verdict, seen: Flags, severity: Severity) -> int:
    """How many labels of the protein too few images show; without labels, how many too many."""
    enough = seen.sum(0) > severity.majority * len(seen)
    # A mitotic figure is a find: by the majority rule its labels would be right in 6.5 % of the
    # cells, with 1.6 per image that has one; Raman counted 3 to 6 % and 1.4.
    enough[SPINDLE] = seen[:, SPINDLE].any()
    if not verdict.protein:
        return int(enough.sum())
    return int((~enough[list(verdict.protein)]).sum())
