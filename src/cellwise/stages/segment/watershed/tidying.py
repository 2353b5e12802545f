"""What becomes of nuclei once they are told apart: outline, holes, debris, slivers, faint light."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from cellwise.kernels.flood import flood
from cellwise.stages.segment.watershed.foreground import Labels, Plane
from cellwise.stages.segment.watershed.regions import (
    areas,
    fill_small_holes,
    moments,
    renumber,
    roundness,
    saddles,
)

# What happens to nuclei that the edge of the field cuts to a sliver.
Slivers = Literal["keep", "drop"]

# A nucleus ends where its signal falls below this share of the mean of its brighter part.
_CUT = 0.45
# A nucleus cut by the edge may be this small beside the median, if it shines like a nucleus (share
# of the median level) and has pixels enough to have a shape. As `drop`, it must be half of one.
_SLIVER = 0.05
_SHINES = 0.6
_PIXELS = 40
_HALF = 0.5
# So may be chromosomes packed for division: small, but brighter than any nucleus at rest.
_GLARES = 1.3
# Fainter than this beside the bright nuclei is out of focus; less round than this is no nucleus.
_FAINT = 0.15
_RAGGED = 0.55
# What touches something this much brighter is its scattered light, unless it is as round as this.
_RIM = 0.4
_ROUND = 0.9
# What could be a nucleus at all, in squared diameters.
_LIKELY = 0.05


def outline(labels: Labels, level: Plane, floor: float) -> Labels:
    """Each nucleus cut at half of its own level, so that bright ones do not swell by their blur.

    Its level is the mean of its brighter part: a piece may reach far into the blur around it.
    """
    inside = labels > 0
    brighter = inside & (level >= _mean_level(labels, level)[labels])
    cut = np.maximum(_CUT * _mean_level(np.where(brighter, labels, 0), level), floor)
    cut = np.pad(cut, (0, int(labels.max(initial=0)) + 1 - len(cut)))
    result: Labels = np.where(inside & (level >= cut[labels]), labels, 0).astype(np.int32)
    return result


def without_holes(labels: Labels, area: float) -> Labels:
    """Nucleoli and dark spots of up to `area` pixels belong to the nucleus around them."""
    mask = np.where(labels > 0, np.uint8(255), np.uint8(0))
    filled = fill_small_holes(mask, area)
    if np.array_equal(mask, filled):
        return labels
    return flood(np.zeros(labels.shape, np.float32), labels, filled > 0)


def drop_debris(
    labels: Labels, level: Plane, debris: float, *, diameter: float, slivers: Slivers
) -> Labels:
    """Drop what is small beside the median nucleus.

    Args:
        labels: Nuclei.
        level: Signal above background.
        debris: Smallest share of the median area.
        diameter: Typical nuclear diameter in pixels.
        slivers: See `find_nuclei`.
    """
    size = areas(labels, int(labels.max(initial=0)) + 1)
    size[0] = 0
    # Specks must not pull the median down, so it is taken over what could be a nucleus at all.
    likely = size[size > _LIKELY * diameter**2]
    if len(likely) == 0:
        return np.zeros_like(labels)
    median = float(np.median(likely))
    light = _mean_level(labels, level)
    usual = float(np.median(light[size >= _HALF * median]))
    shines = light >= _SHINES * usual
    cut = np.zeros(len(size), np.bool_)
    cut[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    least = max(_SLIVER * median, _PIXELS)
    keep = (size >= debris * median) | ((light >= _GLARES * usual) & (size >= least))
    if slivers == "keep":
        keep |= cut & shines & (size >= least)
    else:
        keep &= ~cut | (size >= _HALF * median)
    return renumber(labels, keep)


def drop_out_of_focus(labels: Labels, level: Plane) -> Labels:
    """What is too ragged is left out, and what is not round and faint or scattered light.

    A round one stays however faint: beside a speck of dust every nucleus is.
    """
    light = _mean_level(labels, level)
    shape = roundness(moments(labels, len(light)))
    weight = light * areas(labels, len(light))
    weight[0] = 0
    # Weighted by its own brightness, so that a large background does not outvote a few nuclei.
    usual = float((weight * light).sum() / max(weight.sum(), 1e-9))
    faint = (light < _FAINT * usual) | _beside_brighter(labels, level, light)
    return renumber(labels, (shape >= _RAGGED) & ~(faint & (shape < _ROUND)))


def _beside_brighter(
    labels: Labels, level: Plane, light: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Which regions touch one that is much brighter; `light` is the mean level of each."""
    result = np.zeros(len(light), np.bool_)
    pairs, _ = saddles(labels, level)
    for dim, bright in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        result[dim[light[dim] < _RIM * light[bright]]] = True
    return result


def _mean_level(labels: Labels, level: Plane) -> npt.NDArray[np.float64]:
    count = int(labels.max(initial=0)) + 1
    total = np.bincount(labels.ravel(), weights=level.ravel(), minlength=count)
    return np.asarray(total / np.maximum(areas(labels, count), 1))
