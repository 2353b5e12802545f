"""Where in the cell a stain lies: zones by distance from the nucleus's outline and from the edge.

Signal is relative to the cell's own mean, so a mean of 1 is even. Shares are of the whole signal;
ratios are natural logarithms, with 0.05 added to both sides so that dark zones stay finite. Sectors
and moments are of directions from the middle of the nucleus, in the cytoplasm.
"""

import numpy as np
import numpy.typing as npt

from cellwise.kernels.features.zones import code_zones, sum_directions, sum_zones
from cellwise.parts.features.view import CYTOPLASM, Signal, View

Numbers = npt.NDArray[np.float64]

# In pixels from the outline of the nucleus (inner is deeper than 4, rim within 2 of it) and from
# the cell's edge.
ZONES = (
    "Nucleus", "Cytoplasm", "NucleusInner", "NucleusMiddle", "NucleusRim", "Perinuclear", "Near",
    "Middle", "Edge", "SubEdge",
)  # fmt: skip
_OF_ANY_CELL = (8, 9)
RATIOS = ("NucleusToCytoplasm", "RimToBothSides", "RimToInner", "EdgeToInside", "EdgeToSubEdge")
BINS = 5
_LEAST = 4
_FAINT = 0.05


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    made = [
        f"Cells_Zone_{what}_{zone}_{channel}"
        for zone in ZONES
        for what in ("Mean", "Share", "Deviation")
    ]
    made += [f"Cells_Zone_LogRatio_{ratio}_{channel}" for ratio in RATIOS]
    made += [
        f"Cytoplasm_RadialDistribution_{what}_{k + 1}of{BINS}_{channel}"
        for k in range(BINS)
        for what in ("Mean", "CV")
    ]
    made += [f"Cytoplasm_Directions_Moment_{k}_{channel}" for k in (1, 2)]
    return [*made, f"Cytoplasm_Directions_BrightestSector_{channel}"]


def codes_of(view: View) -> npt.NDArray[np.uint32]:
    """One bit for each zone, then one for each radial bin, `[y, x]`."""
    return code_zones(view.parts, view.away, view.depth, BINS)


def measure(view: View, signal: Signal, codes: npt.NDArray[np.uint32]) -> list[float]:
    """Numbers of one cell.

    Args:
        view: The cell.
        signal: Of the channel.
        codes: Of `codes_of`.
    """
    sums = sum_zones(signal.relative, codes, len(ZONES) + BINS)
    count, total, square = sums.T
    few = count < _LEAST
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(few, np.nan, total / count)
        deviation = np.sqrt(np.maximum(square / count - (total / count) ** 2, 0))
        deviation = np.where(few, np.nan, deviation)
        share = total / max(float(signal.relative.sum(dtype=np.float64)), 1e-9)
        variation = deviation / (mean + _FAINT)
    if not view.has_nucleus:
        kept = np.isin(np.arange(len(mean)), _OF_ANY_CELL)
        for numbers in (mean, share, deviation, variation):
            numbers[~kept] = np.nan
    zones = np.stack([mean, share, deviation], axis=1)[: len(ZONES)]
    radial = np.stack([mean, variation], axis=1)[len(ZONES) :]
    return [*zones.ravel(), *_ratios(mean), *radial.ravel(), *_directions(view, signal)]


def _ratios(mean: Numbers) -> list[float]:
    nucleus, cytoplasm, inner, _, rim, outside, _, middle, edge, below = mean[: len(ZONES)]
    return [
        _log_ratio(nucleus, cytoplasm),
        _log_ratio(rim, np.fmax(outside, inner)),
        _log_ratio(rim, inner),
        _log_ratio(edge, np.fmax(below, middle)),
        _log_ratio(edge, below),
    ]


def _log_ratio(one: float, other: float) -> float:
    return float(np.log((one + _FAINT) / (other + _FAINT)))


def _directions(view: View, signal: Signal) -> list[float]:
    if not view.there[CYTOPLASM]:
        return [np.nan] * 3
    down, right = np.divmod(view.at[: view.first], view.inside.shape[1])
    middle = (float(down.mean()), float(right.mean()))
    sums, sectors = sum_directions(signal.relative, view.places(CYTOPLASM), middle)
    if not sums[0] > 0:
        return [np.nan] * 3
    moments = [float(np.hypot(*sums[k : k + 2]) / sums[0]) for k in (1, 3)]
    filled = sectors[:, 0] >= _LEAST
    if not filled.any():
        return [*moments, np.nan]
    mean = sectors[filled, 1] / sectors[filled, 0]
    return [*moments, float(mean.max() / (mean.mean() + _FAINT))]
