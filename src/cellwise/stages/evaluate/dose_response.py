"""A four-parameter logistic curve of well values over dose, its midpoint with an interval.

    f(x) = bottom + (top - bottom) / (1 + exp(-slope (x - midpoint)))

x counts dose steps (equal steps of log dose), `bottom` is the plateau at low dose and `top` that at
high dose (top < bottom for a falling curve), slope > 0. The start is the best of a grid over
midpoint and slope, where both plateaus follow by linear regression; scipy's bounded least squares
ends it. The midpoint lies within the tested doses and plateaus within half a range of the values.
The interval of the midpoint is a bootstrap over wells on the same grid. Source: the usual
four-parameter model, as in the Assay Guidance Manual (NCBI NBK53196).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import expit

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats, group_draws
from cellwise.measures.intervals import interval
from cellwise.stages.evaluate.correlation import spearman

_LEAST_DOSES, _LEAST_WELLS = 4, 5
_MIDPOINTS, _SLOPES = 161, 15
_STEEPEST, _FLATTEST = 10.0, 0.25


@dataclass(frozen=True, slots=True)
class DoseResponse:
    """The fitted curve; figures are NaN and `reason` says why where none could be fitted.

    `midpoint` is in dose steps with a 95 % interval, `r2` the explained share of the variance of
    the well values, `spearman` the signed rank correlation of value and dose, `n` the wells.
    """

    bottom: float
    top: float
    midpoint: float
    low: float
    high: float
    slope: float
    r2: float
    spearman: float
    n: int
    reason: str = ""

    def at(self, dose: npt.ArrayLike) -> Floats:
        """The curve's value at these doses."""
        return _curve(
            np.asarray(dose, np.float64), self.bottom, self.top, self.midpoint, self.slope
        )


Evaluator = Callable[..., DoseResponse]


def build(draws: int = 500) -> Evaluator:
    """Make `(dose, value, *, seed) -> DoseResponse` over wells.

    Args:
        draws: Bootstrap draws of wells.
    """
    if draws < 1:
        raise BadOption("evaluate dose_response: draws is at least 1.")

    def evaluate(dose: npt.ArrayLike, value: npt.ArrayLike, *, seed: int) -> DoseResponse:
        """`[well]` each, `dose` in steps; wells where either is not finite are left out."""
        x, y = np.asarray(dose, np.float64), np.asarray(value, np.float64)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        reason = _unfit(x, y)
        if reason:
            nan = float("nan")
            return DoseResponse(nan, nan, nan, nan, nan, nan, nan, spearman(x, y), len(x), reason)
        grid = _Grid.over(x, y)
        start = grid.best(np.ones((1, len(x))))[0]
        bottom, top, midpoint, slope = _refined(x, y, grid, start)
        rest = ((y - _curve(x, bottom, top, midpoint, slope)) ** 2).sum()
        weights = group_draws(len(x), draws=draws, seed=seed).astype(np.float64)
        low, high = interval(grid.best(weights)[:, 2])
        return DoseResponse(
            bottom,
            top,
            midpoint,
            min(low, midpoint),
            max(high, midpoint),
            slope,
            float(1 - rest / ((y - y.mean()) ** 2).sum()),
            spearman(x, y),
            len(x),
        )

    return evaluate


def dose_steps(doses: npt.ArrayLike) -> Floats:
    """Doses as steps: as they are where equally spaced, else their rank 1, 2, ... (dilutions)."""
    given = np.asarray(doses, np.float64)
    levels = np.unique(given[np.isfinite(given)])
    gaps = np.diff(levels)
    if not len(gaps) or np.allclose(gaps, gaps[0], atol=0):
        return given
    steps = (np.searchsorted(levels, given) + 1).astype(np.float64)
    found: Floats = np.where(np.isfinite(given), steps, np.nan)
    return found


def _unfit(x: Floats, y: Floats) -> str:
    if len(x) < _LEAST_WELLS or len(np.unique(x)) < _LEAST_DOSES:
        return (
            f"{len(x)} wells at {len(np.unique(x))} doses; at least "
            f"{_LEAST_WELLS} wells at {_LEAST_DOSES} doses are needed"
        )
    return "" if np.ptp(y) > 1e-12 * max(1.0, float(np.abs(y).max())) else "all wells are equal"


def _curve(x: Floats, bottom: float, top: float, midpoint: float, slope: float) -> Floats:
    return np.asarray(bottom + (top - bottom) * expit(slope * (x - midpoint)))


@dataclass(frozen=True, slots=True)
class _Grid:
    """All curves of the grid over the wells' doses: `shape[curve, well]`, and the wells' values."""

    midpoint: Floats
    slope: Floats
    shape: Floats
    value: Floats
    floor: float
    ceiling: float

    @classmethod
    def over(cls, x: Floats, y: Floats) -> "_Grid":
        step = float(np.median(np.diff(np.unique(x))))
        midpoints = np.linspace(x.min(), x.max(), _MIDPOINTS)
        slopes = np.geomspace(_FLATTEST, _STEEPEST, _SLOPES) / step
        midpoint, slope = (table.ravel() for table in np.meshgrid(midpoints, slopes))
        shape = expit(slope[:, None] * (x[None, :] - midpoint[:, None]))
        half = float(np.ptp(y)) / 2
        return cls(midpoint, slope, shape, y, float(y.min()) - half, float(y.max()) + half)

    def best(self, weights: Floats) -> Floats:
        """`[draw, 4]`: bottom, top, midpoint and slope of the best curve; NaN where none fits.

        Args:
            weights: `[draw, well]`, how often each well was drawn.
        """
        middle = self.value.mean()
        y = self.value - middle
        n, sum_y = weights.sum(axis=1)[:, None], (weights @ y)[:, None]
        sum_s, sum_ss = weights @ self.shape.T, weights @ (self.shape**2).T
        sum_sy = (weights * y) @ self.shape.T
        spread = n * sum_ss - sum_s**2
        fits = spread > 1e-9 * n**2
        height = np.where(fits, n * sum_sy - sum_s * sum_y, 0) / np.where(fits, spread, 1)
        bottom = (sum_y - height * sum_s) / n
        # The squared error without its constant part, the sum of squares of the values.
        error = -bottom * sum_y - height * sum_sy
        for plateau in (bottom, bottom + height):
            fits &= (plateau + middle >= self.floor) & (plateau + middle <= self.ceiling)
        error = np.where(fits, error, np.inf)
        chosen = error.argmin(axis=1)
        rows = np.arange(len(weights))
        low = bottom[rows, chosen] + middle
        found = [low, low + height[rows, chosen], self.midpoint[chosen], self.slope[chosen]]
        return np.where(fits.any(axis=1)[:, None], np.column_stack(found), np.nan)


def _refined(x: Floats, y: Floats, grid: _Grid, start: Floats) -> tuple[float, float, float, float]:
    if not np.isfinite(start).all():
        start = np.array([y[x == x.min()].mean(), y[x == x.max()].mean(), x.mean(), grid.slope[0]])
    lower = np.array([grid.floor, grid.floor, x.min(), np.log(grid.slope.min())])
    upper = np.array([grid.ceiling, grid.ceiling, x.max(), np.log(grid.slope.max())])
    first = np.array([*start[:3], np.log(start[3])])

    def residual(p: Floats) -> Floats:
        return _curve(x, p[0], p[1], p[2], float(np.exp(p[3]))) - y

    # least_squares wants a start strictly inside its bounds.
    margin = 1e-6 * (upper - lower)
    found = least_squares(
        residual, np.clip(first, lower + margin, upper - margin), bounds=(lower, upper)
    ).x
    return float(found[0]), float(found[1]), float(found[2]), float(np.exp(found[3]))
