"""Which of its protein's labels a cell shows: none, one or several of them.

Labels agree through one hidden normal variable per cell (a Gaussian copula: Li 2000, J. Fixed
Income 9:43), some of them follow the cell cycle, and one of those that a cell could show may push
the others aside.
"""

import numpy as np
from scipy.stats import norm

from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.hpa.label_sets import AGGRESOME, SPINDLE, Flags, Floats, LabelSet

_RARE = 0.4


def draw_presence(
    labels: LabelSet, severity: ForeignSeverity, mitotic: float, rng: np.random.Generator
) -> Floats:
    """Share of cells that could show each label; an aggresome is rarer, a spindle is of mitosis."""
    presence = beta(severity.presence, severity.presence_spread, len(labels), rng)
    for place, label in enumerate(labels):
        if label == SPINDLE:
            presence[place] = mitotic
        elif label == AGGRESOME:
            presence[place] *= _RARE
    return presence


def beta(mean: float, concentration: float, count: int, rng: np.random.Generator) -> Floats:
    """Beta variables of this mean; concentration is the sum of the two parameters."""
    return rng.beta(mean * concentration, (1 - mean) * concentration, count)


def draw_states(
    labels: LabelSet,
    presence: Floats,
    preferred: Floats,
    phase: Floats,
    dividing: Flags,
    severity: ForeignSeverity,
    rng: np.random.Generator,
) -> Flags:
    """Which cell shows which label, `[cell, label]`, before any cell is silent: at least one.

    Args:
        labels: Of the protein.
        presence: Share of cells per label.
        preferred: Place in the cell cycle where each label shows best.
        phase: Place of each cell, 0..1.
        dividing: Cells in mitosis: they show a spindle, and no other does.
        severity: The world.
        rng: The stream of the sample.
    """
    shape = (phase.size, len(labels))
    if not labels:
        return np.zeros(shape, bool)
    shared = np.sqrt(severity.agreement) * rng.standard_normal((phase.size, 1))
    own = np.sqrt(1 - severity.agreement) * rng.standard_normal(shape)
    distance = np.abs(phase[:, None] - preferred)
    circular = 2.0 * np.minimum(distance, 1.0 - distance)
    by_cycle = rng.random(shape) < severity.cycle
    chance: Floats = np.where(by_cycle, circular, norm.cdf(shared + own))
    present: Flags = np.asarray(chance < presence, bool)
    spindle = [place for place, label in enumerate(labels) if label == SPINDLE]
    present[:, spindle] = dividing[:, None]
    alone = rng.random(phase.size) < severity.one_state
    # Among exclusive states the likelier ones win more often; a spindle always does.
    weight = presence * rng.exponential(size=shape)
    weight[:, spindle] = np.where(present[:, spindle], np.inf, -1.0)
    none: Flags = np.asarray(~present.any(1), bool)
    winner = np.where(present | none[:, None], weight, -1.0).argmax(1)
    rows = np.flatnonzero((alone | none) & (weight.max(1) >= 0))
    present[rows] = False
    present[rows, winner[rows]] = True
    return present
