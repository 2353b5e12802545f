"""How wrong inherited labels are, by class: bounds from fields, and estimates from judged cells.

Two shares are asked for. Of the cells whose field has the class (inherited positives): how many do
not show it. Of the cells that show it: how many are missed, for their field lacks the class.

Judged cells are a random draw with known chances, and the model's out-of-fold probabilities carry
the rest: its mean over all cells, mended by what judged cells say it is wrong by. So an estimate is
right on average however bad the model is, and the better the model the narrower its interval.

Sources: prediction-powered inference, Angelopoulos et al. 2023 (Science 382:669), with the weight
of the predictions fitted (arXiv 2311.01453), which is the difference estimator of survey statistics
(Särndal et al. 1992); intervals as in `measures.weighted`; 3/n where nothing was seen, Hanley and
Lippman-Hand 1983 (JAMA 249:1743).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.measures.bootstrap import Floats, Groups
from cellwise.measures.weighted import TAIL, Share, effective, jeffreys, variance_of_sum

# Of `TAIL` on one side: 3.0 for 90 %.
_NOTHING_SEEN = -np.log(TAIL)
# Fewer judged cells of either answer say too little of how far predictions are to be trusted.
_ENOUGH = 5

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """One class of the cells of labelled fields.

    Args:
        inherited: `[cell]`, whether the cell's field has the class.
        chance: `[cell]` in 0..1, what a model says that has not seen the field.
        shows: `[cell]`, 1 or 0 as a person saw it, NaN where nobody was asked or sure.
        weight: `[cell]`, for how many cells a judged one stands, 0 for the others.
        group: `[cell]`, numbers of groups of cells that are alike.
    """

    inherited: Flags
    chance: Floats
    shows: Floats
    weight: Floats
    group: Groups


def weights(there: Groups, stratum: Groups, judged: Flags) -> Floats:
    """`[cell]`: how many cells of its stratum a judged cell stands for; 0 for the others.

    Cells that were drawn and not judged count as if chance had left them out.

    Args:
        there: `[stratum]`, cells that were drawn from.
        stratum: `[cell]`, numbers from 0; -1 for cells that were not drawn.
        judged: `[cell]`, which of the drawn cells were judged.
    """
    done = np.bincount(stratum[judged], minlength=len(there))
    each = there / np.maximum(done, 1)
    return np.where(judged, each[stratum], 0.0)


def stands_for(there: Groups, stratum: Groups, judged: Flags) -> Floats | None:
    """The same of all judged cells that were drawn; None where a stratum has none of them.

    Args:
        there: `[stratum]`, cells that were drawn from.
        stratum: `[cell]`, numbers from 0; -1 for cells that were not drawn.
        judged: `[cell]`, which cells were judged, drawn or not.
    """
    done = judged & (stratum >= 0)
    seen = np.bincount(stratum[done], minlength=len(there))
    return None if (seen[there > 0] == 0).any() else weights(there, stratum, done)


def false_share(cells: Judged) -> Share:
    """Of inherited positives, the share that does not show the class."""
    return _mean(cells, cells.inherited, counted=0).share


def missed_share(cells: Judged) -> Share:
    """Of cells that show the class, the share whose field lacks it."""
    inside, outside = (
        _mean(cells, part, counted=1) for part in (cells.inherited, ~cells.inherited)
    )
    n_in, n_out = int(cells.inherited.sum()), int((~cells.inherited).sum())
    there, missed = n_in * inside.value, n_out * outside.value
    judged, seen = inside.share.judged + outside.share.judged, outside.share.seen
    if not n_out:
        return Share(0.0, 0.0, 0.0, judged, 0)
    if not outside.share.judged or (n_in and not inside.share.judged):
        return Share(np.nan, 0.0, 1.0, judged, seen)
    # The ends where one part is at its worst: all that nobody was lucky enough to see.
    least = n_in * inside.share.low
    most = n_out * outside.share.high
    if not seen or there + missed <= 0:
        high = most / (most + least) if most + least > 0 else 1.0
        return Share(0.0 if there > 0 else np.nan, 0.0, high, judged, seen)
    value = missed / (there + missed)
    spread = (1 - value) * n_out * outside.parts - value * n_in * inside.parts
    variance = _variance(spread / (there + missed), cells, np.isfinite(cells.shows))
    positives = cells.weight[(cells.shows == 1) & (cells.weight > 0)]
    low, high = jeffreys(value, variance, effective(positives), judged)
    return Share(value, low, high, judged, seen)


def positives_bounds(cells: Groups, labels: Groups) -> tuple[int, int]:
    """How many inherited positives are false, at least and at most, from field labels alone.

    At most, where each label is shown by a cell of its field at least. At least, where also each
    cell shows one class: every other label of a field then takes a cell. A field of more labels
    than cells contradicts the two together, so that nothing is known of it.

    Args:
        cells: `[field]`, cells of each field with the class.
        labels: `[field]`, labels that it has, this one among them.
    """
    others = np.where(labels <= cells, labels - 1, 0)
    return int(others.sum()), int(np.maximum(cells - 1, 0).sum())


@dataclass(frozen=True, slots=True)
class _Mean:
    share: Share
    value: float
    parts: Floats


def _mean(cells: Judged, part: Flags, *, counted: int) -> _Mean:
    """The share of a part of the cells that shows the class (1), or does not (0)."""
    answer = cells.shows if counted else 1 - cells.shows
    said = cells.chance if counted else 1 - cells.chance
    rows = part & np.isfinite(answer) & (cells.weight > 0)
    parts = np.zeros(len(answer))
    judged, seen = int(rows.sum()), int(np.nansum(answer[rows]))
    if not judged:
        return _Mean(Share(np.nan, 0.0, 1.0, 0, 0), np.nan, parts)
    weight = cells.weight[rows] / cells.weight[rows].sum()
    size = effective(cells.weight[rows])
    if seen in (0, judged):
        reach = min(_NOTHING_SEEN / size, 1.0)
        share = Share(1.0, 1 - reach, 1.0, judged, seen) if seen else Share(0, 0, reach, judged, 0)
        return _Mean(share, share.value, parts)
    trust = _trust(answer[rows], said[rows], weight)
    wrong = answer[rows] - trust * said[rows]
    mended = float(weight @ wrong)
    value = float(np.clip(trust * said[part].mean() + mended, 0, 1))
    parts[rows] = weight * (wrong - mended)
    variance = _variance(parts, cells, rows)
    low, high = jeffreys(value, variance, size, judged)
    return _Mean(Share(value, low, high, judged, seen), value, parts)


def _trust(answer: Floats, said: Floats, weight: Floats) -> float:
    """How far predictions are to be followed, 0..1: the slope of answers on them."""
    if min(answer.sum(), len(answer) - answer.sum()) < _ENOUGH:
        return 0.0
    apart = said - weight @ said
    spread = float(weight @ apart**2)
    return float(np.clip(weight @ (apart * answer) / spread, 0, 1)) if spread > 0 else 0.0


def _variance(parts: Floats, cells: Judged, rows: Flags) -> float:
    return variance_of_sum(parts[rows], cells.group[rows])
