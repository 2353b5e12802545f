"""Cells of fields without a class show how it scores where it is absent; the excess shows it.

For a class, `f_without` is how what is found of it spreads over the cells of fields that were not
given it, `f_with` over cells of those that were. In the latter, the share

    q = max(0, 1 - (1 - s) f_without / f_with)

of the cells with a value shows the class, s being the share of all of them that show it. The ratio
is fitted rising in the value, and s read off its low end, where hardly any cell shows the class: a
lower bound in general, exact only where some value occurs in showing cells alone.

Source: mixture proportions from positive and unlabelled samples, Elkan and Noto 2008 (KDD),
Ramaswamy et al. 2016 (ICML); isotonic fit of the ratio as in Zadrozny and Elkan 2002 (KDD).
"""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from cellwise.contracts.labeller import Flags
from cellwise.stages.label.posterior._fields import Fields, Floats64, Smooth

# The share of cells at the low end that hardly any class shows.
_LOW_END = 0.1
_FEWEST = 20


def mixture(fields: Fields, smooth: Smooth, *, rounds: int) -> Floats64:
    """`[cell, class]` in 0..1, from labels that every cell inherits; others keep 0.

    Args:
        fields: The cells and the labels of their fields.
        smooth: What cells of other groups make of labels.
        rounds: At least 1.
    """
    own = fields.own
    labels = fields.judged(own.astype(np.float64))
    for _ in range(rounds):
        found = smooth(labels.astype(np.float32)).astype(np.float64)
        for k in range(labels.shape[1]):
            shown = None if fields.told is None else float(fields.told.shown[k])
            labels[:, k] = shown_share(found[:, k], own[:, k], shown=shown)
        labels = fields.judged(labels)
    return labels


def shown_share(found: Floats64, given: Flags, *, shown: float | None = None) -> Floats64:
    """`[cell]`: the share of the cells of such a value that show the class; 0 where not given.

    Args:
        found: `[cell]`, what is found of the class, rising with how likely the cell shows it.
        given: `[cell]`, whether the cell's field was given the class.
        shown: Share of the cells of fields with the class that show it, where it is known.
    """
    result = given.astype(np.float64)
    count, others = int(given.sum()), int((~given).sum())
    if count < _FEWEST or others < _FEWEST:
        return result
    # P(given | value) by isotonic regression: with / (with + without) at equal sizes of both.
    weight = np.where(given, 1 / count, 1 / others)
    fit = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    share = fit.fit(found, given.astype(np.float64), sample_weight=weight).predict(found[given])
    density = (1 - share) / np.maximum(share, 1e-6)
    # 1 - s: the ratio with / without where hardly any cell shows the class.
    low = np.sort(share)[: max(1, round(_LOW_END * count))].mean()
    absent = min(1.0, low / max(1 - low, 1e-6)) if shown is None else 1 - shown
    result[given] = np.clip(1 - absent * density, 0, 1)
    return result
