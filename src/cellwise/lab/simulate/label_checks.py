"""Acceptance of the label model: do drawn labels have the figures of the real ones?

Source: figures 7.2 and 7.8 of the field notes. Images of one sample carry the same labels, so
standard errors are those of samples (clusters), not of images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.hpa.label_sets import (
    AGGRESOME,
    CLASSES,
    FREQUENT,
    IMAGES,
    KINDS_PER_SIZE,
    LIFTS,
    NEGATIVE,
    PER_CLASS,
    PER_SIZE,
    SPINDLE,
)
from cellwise.lab.synth.hpa.labels import Sample
from cellwise.store.worlds.class_lists import class_list

Numbers = npt.NDArray[np.float64]

PRECISION = (0.80, 0.92)
PRECISION_OF = {AGGRESOME: (0.15, 0.40), SPINDLE: (0.03, 0.06)}
MISSED = (0.03, 0.10)
MISSED_SPINDLE = 0.75
FALSE = 0.03
# Cells per field of 164 um: mean, and quantiles 5, 25, 50, 75, 95 %.
MEAN_CELLS = 21.7
QUANTILES = {0.05: 9.0, 0.25: 13.0, 0.5: 18.0, 0.75: 27.0, 0.95: 46.0}
FIELD_UM = 163.84


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Args:
        name: What was looked at.
        value: Its figure.
        low: Least allowed.
        high: Largest allowed.
        n: Images, cells or labels behind it.
    """

    name: str
    value: float
    low: float
    high: float
    n: int

    @property
    def ok(self) -> bool:
        """Whether the figure lies in its range."""
        return bool(self.low <= self.value <= self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Drawn samples as tables, one row per sample.

    Args:
        images: Images per sample.
        given: Whether a class is given, `[sample, class]`.
        false: Whether it is given and not of the protein.
        missed: Whether the protein has it and it is not given.
        cells: Cells per sample.
        shown: Cells that truly show a class, `[sample, class]`; class Negative: nothing shown.
        counts: Cells of each image.
    """

    images: Numbers
    given: npt.NDArray[np.bool_]
    false: npt.NDArray[np.bool_]
    missed: npt.NDArray[np.bool_]
    cells: Numbers
    shown: Numbers
    counts: Numbers


def tally(samples: Sequence[Sample]) -> Tally:
    """The tables of drawn samples."""
    shape = (len(samples), CLASSES)
    given, false, missed = (np.zeros(shape, bool) for _ in range(3))
    shown = np.zeros(shape)
    for row, sample in enumerate(samples):
        verdict = sample.verdict
        given[row, list(verdict.given)] = True
        false[row, list(verdict.false)] = True
        missed[row, list(verdict.missed)] = True
        shown[row] = sample.cells.shown.sum(0)
        shown[row, NEGATIVE] = (~sample.cells.shown.any(1)).sum()
    return Tally(
        np.array([len(s.counts) for s in samples], float),
        given,
        false,
        missed,
        np.array([sum(s.counts) for s in samples], float),
        shown,
        np.array([n for s in samples for n in s.counts], float),
    )


def check_labels(samples: Sequence[Sample], *, side_um: float = FIELD_UM) -> list[Check]:
    """All checks of the label model at `default`; a failed one has `ok` False.

    Args:
        samples: From `draw_samples`.
        side_um: Side of the fields; the cell counts are judged against its area.
    """
    drawn = tally(samples)
    return [
        *_class_shares(drawn),
        *_set_shares(drawn),
        *_lifts(drawn),
        _negative_alone(drawn),
        *_precision(drawn),
        *_mistakes(drawn),
        *_counts(drawn, side_um),
        _images_per_sample(drawn),
    ]


def ratio(top: Numbers, below: Numbers) -> tuple[float, float]:
    """Sum of `top` over sum of `below`, and its standard error over samples.

    Source: the ratio estimator for clusters (Cochran 1977, Sampling techniques, 6.3).
    """
    total = below.sum()
    if total == 0:
        return float("nan"), float("nan")
    value = top.sum() / total
    return float(value), float(np.sqrt(np.square(top - value * below).sum()) / total)


def expected_error(share: float, weights: Numbers) -> float:
    """Standard error of a share that samples have as a whole, if the share is the true one."""
    return float(np.sqrt(share * (1 - share) * np.square(weights).sum()) / weights.sum())


def _near(name: str, value: float, target: float, error: float, n: float) -> Check:
    """Within 10 % or 3 standard errors of the target."""
    slack = max(0.1 * target, 3 * error)
    return Check(name, value, target - slack, target + slack, int(n))


def _class_shares(drawn: Tally) -> list[Check]:
    names = class_list("hpa19").names
    checks = []
    for k, name in enumerate(names):
        value, _ = ratio(drawn.images * drawn.given[:, k], drawn.images)
        target = PER_CLASS[k] / IMAGES
        error = expected_error(target, drawn.images)
        checks.append(_near(f"share of images: {name}", value, target, error, drawn.images.sum()))
    return checks


def _set_shares(drawn: Tally) -> list[Check]:
    """Labels per image, the most frequent sets, and how many kinds of sets there are."""
    sizes = drawn.given.sum(1)
    wanted = {f"{size} labels": (sizes == size, n) for size, n in PER_SIZE.items()}
    for labels, n in FREQUENT.items():
        row = np.zeros(CLASSES, bool)
        row[list(labels)] = True
        wanted[f"set {'|'.join(map(str, labels))}"] = ((drawn.given == row).all(1), n)
    checks = []
    for name, (has, n) in wanted.items():
        value, _ = ratio(drawn.images * has, drawn.images)
        error = expected_error(n / IMAGES, drawn.images)
        checks.append(_near(f"share of images: {name}", value, n / IMAGES, error, has.sum()))
    kinds = len(np.unique(drawn.given, axis=0))
    checks.append(Check("kinds of sets", kinds, 1, sum(KINDS_PER_SIZE.values()), len(sizes)))
    return checks


def _lifts(drawn: Tally) -> list[Check]:
    """Images with both labels, against chance."""
    checks = []
    for (a, b), lift in LIFTS.items():
        both = drawn.given[:, a] & drawn.given[:, b]
        chance = PER_CLASS[a] * PER_CLASS[b] / IMAGES**2
        value, _ = ratio(drawn.images * both, drawn.images)
        error = expected_error(lift * chance, drawn.images) / chance
        checks.append(_near(f"lift of {a} and {b}", value / chance, lift, error, both.sum()))
    return checks


def _negative_alone(drawn: Tally) -> Check:
    mixed = drawn.given[:, NEGATIVE] & (drawn.given.sum(1) > 1)
    return Check("samples with Negative beside another label", mixed.sum(), 0, 0, len(mixed))


def _precision(drawn: Tally) -> list[Check]:
    """Of the cells of images with a label, how many show it; the band is widened by 3 errors."""
    names = class_list("hpa19").names
    checks = []
    for k in range(NEGATIVE):
        low, high = PRECISION_OF.get(k, PRECISION)
        given = drawn.given[:, k]
        if not given.any():
            continue
        value, error = ratio(drawn.shown[given, k], drawn.cells[given])
        n = int(drawn.cells[given].sum())
        name = f"precision of inherited labels: {names[k]}"
        checks.append(Check(name, value, low - 3 * error, high + 3 * error, n))
    return checks


def _mistakes(drawn: Tally) -> list[Check]:
    """False labels about 3 % of each class, missed ones 3 to 10 %, of the spindle 75 %."""
    names = class_list("hpa19").names
    positives = drawn.images[:, None] * drawn.given
    total, _ = ratio((drawn.images[:, None] * drawn.false).sum(1), positives.sum(1))
    error = expected_error(FALSE, positives.sum(1))
    checks = [_near("false labels per given label", total, FALSE, error, drawn.false.sum())]
    for k in range(NEGATIVE):
        value, _ = ratio(drawn.images * drawn.false[:, k], positives[:, k])
        slack = max(0.01, 3 * expected_error(FALSE, positives[:, k])) if value == value else 0.0
        name = f"false labels per given label: {names[k]}"
        checks.append(
            Check(name, value, FALSE - slack, FALSE + slack, int(drawn.false[:, k].sum()))
        )
    lost = drawn.images[:, None] * drawn.missed
    real = lost + positives - drawn.images[:, None] * drawn.false
    common = [k for k in range(NEGATIVE) if k != SPINDLE]
    value, error = ratio(lost[:, common].sum(1), real[:, common].sum(1))
    low, high = MISSED[0] - 3 * error, MISSED[1] + 3 * error
    checks.append(Check("missed labels", value, low, high, int(drawn.missed.sum())))
    if real[:, SPINDLE].any():
        value, _ = ratio(lost[:, SPINDLE], real[:, SPINDLE])
        error = expected_error(MISSED_SPINDLE, real[:, SPINDLE])
        name = f"missed labels: {names[SPINDLE]}"
        checks.append(_near(name, value, MISSED_SPINDLE, error, drawn.missed[:, SPINDLE].sum()))
    return checks


def _counts(drawn: Tally, side_um: float) -> list[Check]:
    """Cells per field grow with its area; at full size their spread is that of the real ones."""
    area = (side_um / FIELD_UM) ** 2
    n = len(drawn.counts)
    error = float(drawn.counts.std() / np.sqrt(len(drawn.images)))
    mean = float(drawn.counts.mean())
    checks = [_near("cells per field, mean", mean, MEAN_CELLS * area, error, n)]
    if area == 1:
        for share, target in QUANTILES.items():
            # Counts are whole numbers: one cell more or less is no difference.
            value = float(np.quantile(drawn.counts, share))
            slack = max(1.0, 0.1 * target)
            name = f"cells per field, {share:.0%} quantile"
            checks.append(Check(name, value, target - slack, target + slack, n))
    checks.append(Check("fewest cells in a field", drawn.counts.min(), 1, 1000, n))
    return checks


def _images_per_sample(drawn: Tally) -> Check:
    return Check("most images of a sample", drawn.images.max(), 1, 6, len(drawn.images))
