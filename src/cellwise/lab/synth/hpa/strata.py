"""Which samples a part of a world holds: as they come, or with enough cells of every class.

With a least number of cells per class each protein is drawn for the class that is furthest from it,
so that no class is forgotten; once all have enough, the rest of the fields comes as it comes.
"""

from dataclasses import dataclass, field

import numpy as np

from cellwise.lab.synth.hpa.label_sets import CLASSES, NEGATIVE, Floats
from cellwise.lab.synth.hpa.labels import LabelModel, Sample, draw_sample

LEAST_FIELDS = 8
# Cells at the border are ignored later; nobody knows yet which.
_SPARE = 1.1
# What a field of a class is thought to hold before one was drawn: few of the cells show it.
_FIRST_GUESS = 1.0
# The share of the fields left that one class may cost at most.
_MOST = 1 / 3


def draw_part(model: LabelModel, part: str, *, fields: int, least: int) -> list[Sample]:
    """The samples of a part of the world, `fields` images in all.

    Args:
        model: The world.
        part: `train` or `test`; parts never share a protein.
        fields: Number of images; the last sample is cut to fit.
        least: Cells per class to aim at, from at least 8 fields; 0 draws as it comes.
    """
    samples: list[Sample] = []
    tally = _Tally(least)
    left = fields
    while left > 0:
        wanted = tally.poorest(left)
        sets = model.sets.given(wanted) if wanted is not None else None
        sample = draw_sample(model, part, len(samples), at_most=left, sets=sets)
        tally.add(sample)
        samples.append(sample)
        left -= len(sample.counts)
    return samples


@dataclass(slots=True)
class _Tally:
    """What there is so far of each class, and what the rest will cost."""

    least: int
    cells: Floats = field(default_factory=lambda: np.zeros(CLASSES))
    fields: Floats = field(default_factory=lambda: np.zeros(CLASSES))
    tried: Floats = field(default_factory=lambda: np.ones(CLASSES))
    gained: Floats = field(default_factory=lambda: np.full(CLASSES, _FIRST_GUESS))

    def add(self, sample: Sample) -> None:
        shown = sample.cells.shown.copy()
        shown[:, NEGATIVE] = ~shown.any(1)
        has = list(sample.verdict.protein) or [NEGATIVE]
        for image in range(len(sample.counts)):
            counts = shown[sample.image(image)].sum(0)
            self.cells += counts
            self.fields += counts > 0
            self.tried[has] += 1
            self.gained[has] += counts[has]

    def poorest(self, left: int) -> int | None:
        """The class that is furthest from enough, None where all have enough or none can.

        A class that would take more than a third of the fields that are left, as the spindle does,
        is given up, or it would leave nothing to the others. Cells of class Negative come with
        every other class: they are looked for last.
        """
        if not self.least:
            return None
        need = _SPARE * self.least
        per_field = np.maximum(self.gained / self.tried, 0.05)
        cost = np.maximum((need - self.cells) / per_field, LEAST_FIELDS - self.fields)
        done = np.minimum(self.cells / need, self.fields / LEAST_FIELDS)
        open_ones = [k for k in range(CLASSES) if 0 < cost[k] <= max(left * _MOST, 1)]
        return min(open_ones, key=lambda k: (k == NEGATIVE, done[k], cost[k]), default=None)
