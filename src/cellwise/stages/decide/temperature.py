"""One temperature per class, fitted so that fields get the labels they have.

For each class, `p = sigmoid(logit / T + b)` of the cells is pooled to a probability of the field
(`1 - prod(1 - p)` by default), and T minimises the negative log likelihood of the field labels
plus a pull towards T = 1, b = 0:

    - sum over fields log P(label)  +  (1 + few / n) * ((log T)^2 / 2 + b^2 / 8)

where n is the smaller of the numbers of fields with and without the class: the fewer there are,
the stronger the pull. T lies in 0.2..10 and b in -10..10 (b = 0 unless asked for). A class that all
or no fields carry keeps T = 1. This is `weak` calibration: it says nothing about single cells that
only a look at cells could tell.

Source: temperature scaling of Guo et al. 2017 (arXiv 1706.04599), carried over to bags of cells.
"""

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from cellwise.contracts.decider import POOLINGS, Decider, Evidence, Fitted, Floats
from cellwise.errors import BadOption
from cellwise.stages.decide._pooling import Bags, pooled

COLDEST, HOTTEST = 0.2, 10.0
_MOST_BIAS = 10.0
_GRID = 21
_BIAS_GRID = (-6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0)


def build(pooling: str = "noisy_or", *, bias: bool = False, few: float = 10.0) -> Decider:
    """Make the decider.

    Args:
        pooling: How cells make a field: `noisy_or`, `mean` or `max`.
        bias: Whether a shift is fitted too; without it a logit of 0 stays a probability of 0.5.
        few: Strength of the pull towards no change, in fields.
    """
    if pooling not in POOLINGS:
        raise BadOption(f"decide temperature: pooling is one of {POOLINGS}, not {pooling!r}.")
    if few < 0:
        raise BadOption("decide temperature: few is not negative.")

    def temperature(evidence: Evidence) -> Fitted:
        bags = Bags.of(evidence.field, count=len(evidence.labels))
        temperatures, biases = [], []
        for c in range(evidence.logits.shape[1]):
            logits = evidence.logits[:, c].astype(np.float64)[bags.order]
            loss = _Loss(logits, bags, evidence.labels[:, c], pooling, few, evidence.weight)
            log_t, shift = _fit_both(loss) if bias else (_fit_temperature(loss), 0.0)
            temperatures.append(float(np.clip(np.exp(log_t), COLDEST, HOTTEST)))
            biases.append(float(shift))
        known = "weak" if len(evidence.labels) else "none"
        return Fitted(tuple(temperatures), tuple(biases), known, pooling)

    return temperature


class _Loss:
    """Penalised negative log likelihood of one class as a function of log T and b."""

    def __init__(
        self,
        logits: Floats,
        bags: Bags,
        labels: np.ndarray,
        pooling: str,
        few: float,
        weight: Floats | None,
    ) -> None:
        self.logits, self.bags, self.labels, self.pooling = logits, bags, labels, pooling
        self.weight = weight
        self.fewest = int(min(labels.sum(), (~labels).sum()))
        self.pull = 1 + few / max(self.fewest, 1)

    def __call__(self, log_t: float, shift: float) -> float:
        scaled = self.logits * np.exp(-log_t) + shift
        yes, no = pooled(scaled, self.bags, pooling=self.pooling)
        said = np.where(self.labels, yes, no)
        evidence = float(said.sum() if self.weight is None else self.weight @ said)
        return -evidence + self.pull * float(log_t**2 / 2 + shift**2 / 8)


def _fit_temperature(loss: _Loss) -> float:
    if loss.fewest == 0:
        return 0.0
    # The likelihood may have several hollows: a grid finds the deepest, the search its bottom.
    grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), _GRID)
    best = int(np.argmin([loss(value, 0.0) for value in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)])
    found = minimize_scalar(lambda value: loss(value, 0.0), bounds=bounds, method="bounded")
    return float(found.x)


def _fit_both(loss: _Loss) -> tuple[float, float]:
    if loss.fewest == 0:
        return 0.0, 0.0
    grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), _GRID // 2)
    starts = [(float(t), b) for t in grid for b in _BIAS_GRID]
    start = min(starts, key=lambda pair: loss(*pair))
    found = minimize(
        lambda pair: loss(float(pair[0]), float(pair[1])),
        x0=np.array(start),
        method="L-BFGS-B",
        bounds=[(np.log(COLDEST), np.log(HOTTEST)), (-_MOST_BIAS, _MOST_BIAS)],
    )
    return float(found.x[0]), float(found.x[1])
