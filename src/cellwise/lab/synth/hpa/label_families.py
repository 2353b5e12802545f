"""Protein families: label sets that go together, for worlds at the difficult end of biology.

Own design (`docs/explain/simulator.md` has the reasoning). Proteins of one family carry three to
five labels of the same few compartments, most of them alike to the eye, and a cell shows one or two
of them. Inherited labels then say little: beside a class stand nearly always the same others.
"""

from functools import cache

import numpy as np

from cellwise.lab.synth.hpa.label_sets import (
    IMAGES,
    NEGATIVE,
    PER_CLASS,
    SPINDLE,
    LabelSet,
    LabelSets,
)

# Fixed sets, drawn alike; each class stands in four to eight of them, in two families or more
# where it can, so that no class is always beside the same one.
FAMILIES: dict[str, tuple[LabelSet, ...]] = {
    "nucleus": ((0, 2, 3, 5), (0, 1, 3, 4), (0, 2, 4, 5), (1, 2, 3, 4, 5)),
    "secretion": ((6, 7, 12, 17), (6, 7, 15, 17), (7, 12, 15, 17), (7, 12, 13, 15, 17)),
    "cytoskeleton": ((8, 9, 10, 13), (8, 9, 10, 16), (9, 10, 13, 16), (8, 9, 10, 13, 16)),
    "metabolism": ((6, 14, 16, 17), (0, 14, 16), (6, 14, 15, 17), (0, 6, 14, 16)),
    "division": ((10, 11, 12), (2, 11, 12, 16), (0, 11, 12, 16), (2, 10, 11, 12)),
    "envelope": ((1, 6, 8, 13), (1, 4, 8), (1, 3, 6, 8), (1, 5, 8, 13)),
}


def dominance(label: int) -> float:
    """How readily a class is the one that most cells of a protein show, never the spindle."""
    return 0.0 if label == SPINDLE else float(np.cbrt(PER_CLASS[label] / IMAGES))


@cache
def family_sets() -> LabelSets:
    """All sets of all families alike, and Negative as often as in the challenge."""
    sets = sorted({tuple(sorted(labels)) for family in FAMILIES.values() for labels in family})
    negative = PER_CLASS[NEGATIVE] / IMAGES
    shares = np.append(np.full(len(sets), (1.0 - negative) / len(sets)), negative)
    return LabelSets((*sets, (NEGATIVE,)), shares)
