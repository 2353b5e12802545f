"""Classes of few fields are not judged by their own cells alone."""

import numpy as np

from cellwise.stages.label.posterior._fields import Fields, Floats64

# From so many fields on, a class speaks for itself; with fewer than three others it inherits.
ENOUGH_FIELDS, FEWEST_FIELDS = 10, 4


def pooled(fields: Fields, labels: Floats64) -> Floats64:
    """Labels of classes of fewer than ten fields, drawn to what cells of other classes keep.

    With n fields a class counts by `(n - 1) / 9`: the only field of a class is never judged by
    another one. The rest is the mean label of the classes that have enough fields, in cells of
    fields that were given them, alike for all cells of the field; 1 where no class has enough.
    Classes of fewer than four fields inherit.

    Args:
        fields: The cells and the labels of their fields.
        labels: `[cell, class]` in 0..1.
    """
    count = fields.given.sum(0)
    few = (count < ENOUGH_FIELDS) & (count > 0)
    if not few.any():
        return labels
    own = fields.own
    known = own & ~few
    kept = float(labels[known].mean()) if known.any() else 1.0
    trust = np.clip((count - 1) / (ENOUGH_FIELDS - 1), 0, 1)
    drawn = trust * labels + (1 - trust) * np.where(own, kept, 0)
    drawn = np.where(count < FEWEST_FIELDS, own, drawn)
    return np.where(few, drawn, labels)
