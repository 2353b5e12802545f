"""Whether masks that were brought can be those of this field; silent unless it is clear.

What is looked for are known ways in which masks go wrong: numbers that wrapped around in 8 bits,
so that cells far apart share one; the background, or everything, as one cell; outlines in place
of cells; masks of another field, or shifted, mirrored, or turned. The last are told by the
correlation of mask and image against that of all shifts of the mask (through a Fourier transform):
of a mask that belongs to its image it is the highest of all, of another it is one of many. Where
the image shows nothing clearly, it says nothing about a mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from cellwise.domain.records import Field
from cellwise.kernels.components import label_components
from cellwise.stages.segment.watershed.foreground import find_foreground

Labels = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# Pieces below this share of a usual piece are specks of the drawing.
_SPECK, _SPECK_PIXELS = 0.25, 12
# Of so many numbers one may stand for pieces far apart by a slip of the hand.
_FEW_SPLIT, _RARE, _OFTEN = 3, 0.01, 0.2
# A cell that reaches all edges beside others, and one that is all there is, of so much of a field.
_AROUND, _ALONE = 0.15, 0.3
_OBJECTS = 5
_SIDE = 256
# In spreads of the correlation over all shifts: true masks have 6 and more, others 2.6 and less.
FITS, _FITS_NOT = 6.0, 3.0
_LEAST = 0.25
_SHIFTED, _LOST, _NEARLY = 0.25, 0.7, 0.9
# Lines are no thicker than this on either side of their middle.
_LINE = 2.0
# What may have been done to a whole mask; those that change its shape are tried where it is square.
_TURNS: dict[str, Callable[[Labels], Labels]] = {
    "upside down": lambda a: a[::-1],
    "mirrored": lambda a: a[:, ::-1],
    "turned by half": lambda a: a[::-1, ::-1],
    "with rows and columns exchanged": lambda a: a.T,
    "turned by a quarter": np.rot90,
    "turned by three quarters": lambda a: np.rot90(a, 3),
}


@dataclass(frozen=True, slots=True)
class _Match:
    """How a mask lies on an image.

    Args:
        here: Correlation as it lies.
        best: The highest over all shifts.
        spread: Its standard deviation over all shifts.
        shift: Pixels (down, right) by which the mask would have to move for the highest.
    """

    here: float
    best: float
    spread: float
    shift: tuple[int, int]

    @property
    def strength(self) -> float:
        return self.here / self.spread


def doubt(field: Field, labels: Labels, what: str) -> str:
    """Why these labels cannot be the cells or nuclei of the field; empty where they can.

    Args:
        field: The field.
        labels: Numbered cells `[y, x]` of the field's size.
        what: `cells` or `nuclei`, for the sentence.
    """
    ids = np.unique(labels[labels > 0])
    if not len(ids):
        shown = _objects(field)
        if shown >= _OBJECTS:
            return f"the {what} mask is empty, while the image shows some {shown} nuclei"
        return ""
    areas = np.bincount(np.searchsorted(ids, labels[labels > 0]), minlength=len(ids))
    return (
        _far_pieces(labels, len(ids), what)
        or _one_for_all(field, labels, ids, areas, what)
        or _outlines(labels, what)
        or _elsewhere(field, labels, float(np.median(areas)), what)
    )


def strength(field: Field, labels: Labels) -> float:
    """How clearly a mask lies on what the image shows, where it lies.

    Returns:
        Spreads of the correlation over all shifts, of the channel where it is highest: `FITS` and
        more for a true mask, less than half of that for another; 0 for a flat image.
    """
    step = max(1, -(-max(labels.shape) // _SIDE))
    mask = _reduced(_interior(labels), step)
    planes = (_levels(_reduced(plane, step)) for plane in field.pixels)
    found = [match for plane in planes if (match := _match(plane, mask, step)) is not None]
    return max((match.strength for match in found), default=0.0)


def _far_pieces(labels: Labels, count: int, what: str) -> str:
    """Whether many numbers stand for several pieces with more than a cell's width between them."""
    pieces = label_components(labels.astype(np.int32))
    total = int(pieces.max(initial=0))
    if total < count + 1:
        return ""
    y, x = np.nonzero(pieces)
    own = pieces[y, x] - 1
    area = np.bincount(own, minlength=total)
    number = np.zeros(total, np.int64)
    number[own] = labels[y, x]
    low, high = np.full((2, total), np.iinfo(np.int64).max), np.full((2, total), -1)
    for axis, places in enumerate((y, x)):
        np.minimum.at(low[axis], own, places)
        np.maximum.at(high[axis], own, places)
    large = np.flatnonzero(area >= max(_SPECK_PIXELS, _SPECK * np.median(area)))
    if not len(large):
        return ""
    largest: dict[int, int] = {}
    for piece in large[np.argsort(-area[large], kind="stable")].tolist():
        largest.setdefault(int(number[piece]), piece)
    first = np.array([largest[int(number[piece])] for piece in large])
    gap = np.maximum(low[:, large] - high[:, first], low[:, first] - high[:, large]).max(axis=0)
    far = np.unique(number[large[gap > 2 * np.sqrt(area[first] / np.pi)]])
    split = len(far)
    if split >= _OFTEN * count or (split >= _FEW_SPLIT and split >= _RARE * count):
        return (
            f"{split} of the {count} numbers of the {what} mask stand for separate pieces far "
            "apart, as numbers above 255 do that were saved in 8 bits"
        )
    return ""


def _one_for_all(
    field: Field, labels: Labels, ids: npt.NDArray[Any], areas: npt.NDArray[Any], what: str
) -> str:
    """Whether one number is the background, or all there is."""
    share = areas.max() / labels.size
    number = ids[areas.argmax()]
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    around = all((edge == number).any() for edge in edges)
    if share > _AROUND and around and len(ids) > _FEW_SPLIT:
        return (
            f"the number {number} of the {what} mask covers {share:.0%} of the field and reaches "
            "all its edges: it is the background"
        )
    alone = len(ids) == 1 and share > _ALONE
    if alone and (shown := _objects(field)) >= _OBJECTS:
        return (
            f"the {what} mask holds one number, on {share:.0%} of the field, while the image shows "
            f"some {shown} nuclei"
        )
    return ""


def _outlines(labels: Labels, what: str) -> str:
    """Whether lines are drawn around cells that are not filled."""
    mask = (labels > 0).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)
    if np.percentile(depth[depth > 0], 99) > _LINE:
        return ""
    ground = cv2.connectedComponents(1 - mask, connectivity=4)[1]
    sizes = np.bincount(ground.ravel())
    # What the lines enclose: neither they themselves nor what is open to the edge.
    sizes[0] = sizes[ground[0]] = sizes[ground[-1]] = sizes[ground[:, 0]] = sizes[ground[:, -1]] = 0
    if np.count_nonzero(sizes) < _FEW_SPLIT or sizes.sum() < mask.sum():
        return ""
    return f"the {what} mask holds lines, not filled {what}"


def _elsewhere(field: Field, labels: Labels, area: float, what: str) -> str:
    """Whether the mask is of another place than what the image shows."""
    height, width = labels.shape
    step = max(1, -(-max(height, width) // _SIDE))
    mask = _reduced(_interior(labels), step)
    planes = [_levels(_reduced(plane, step)) for plane in field.pixels]
    matches = [match for plane in planes if (match := _match(plane, mask, step)) is not None]
    if not matches:
        return ""
    best = max(matches, key=lambda match: match.here)
    if max(match.strength for match in matches) >= _FITS_NOT:
        return _moved(best, area, what) if best.strength < FITS or best.here < best.best else ""
    # A dim image says nothing about a mask.
    if _objects(field) < _OBJECTS:
        return ""
    for how, turn in _TURNS.items():
        turned = turn(mask)
        tried = [_match(p, turned, step) for p in planes] if turned.shape == mask.shape else []
        if any(m is not None and m.strength >= FITS and m.here >= _NEARLY * m.best for m in tried):
            return f"the {what} mask fits the image only {how}"
    found = _moved(max(matches, key=lambda match: match.best / match.spread), area, what)
    return found or (
        f"the {what} mask does not lie on what the image shows, as if it were of another field"
    )


def _moved(match: _Match, area: float, what: str) -> str:
    """Whether the mask fits much better elsewhere than where it lies."""
    way = float(np.hypot(*match.shift))
    clear = match.best >= _LEAST and match.best >= FITS * match.spread
    if not clear or match.here > _LOST * match.best or way < _SHIFTED * 2 * np.sqrt(area / np.pi):
        return ""
    down, right = match.shift
    parts = [
        f"{abs(size)} pixels {word if size > 0 else opposite}"
        for size, word, opposite in ((down, "down", "up"), (right, "right", "left"))
        if size
    ]
    return f"the {what} mask is shifted: it fits the image when moved {' and '.join(parts)}"


def _match(plane: Floats, mask: Floats, step: int) -> _Match | None:
    """Correlation of a mask with an image, as it lies and over all shifts; None for a flat one."""
    image, cover = plane - plane.mean(), mask - mask.mean()
    scale = float(np.sqrt((image**2).sum() * (cover**2).sum()))
    if not scale > 0:
        return None
    spectrum = fft.rfft2(image) * np.conj(fft.rfft2(cover))
    over = fft.irfft2(spectrum, s=image.shape) / scale
    place = np.unravel_index(int(over.argmax()), over.shape)
    down, right = (
        int(at if at <= size // 2 else at - size) * step
        for at, size in zip(place, over.shape, strict=True)
    )
    return _Match(float(over[0, 0]), float(over.max()), float(over.std()), (down, right))


def _interior(labels: Labels) -> Floats:
    """1 in cells, 0 in the background and along borders, also those between two cells."""
    inside = labels > 0
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        inside[(slice(1, None), slice(None))[:: 1 if axis == 0 else -1]] &= ~differs
        inside[(slice(None, -1), slice(None))[:: 1 if axis == 0 else -1]] &= ~differs
    return inside.astype(np.float32)


def _reduced(plane: Floats, step: int) -> Floats:
    height, width = (max(1, size // step) for size in plane.shape)
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _levels(plane: Floats) -> Floats:
    """Brightness between the darkest and brightest hundredths; its root, for dim cells."""
    low, high = np.percentile(plane, [1, 99.5])
    if not high > low:
        return np.zeros_like(plane)
    return np.asarray(np.sqrt(np.clip((plane - low) / (high - low), 0, 1)), np.float32)


def _objects(field: Field) -> int:
    """About how many nuclei stand out; 0 where no channel shows them."""
    for channel, plane in zip(field.channels, field.pixels, strict=True):
        if channel.role != "nucleus":
            continue
        shown = find_foreground(plane, smooth=1.0)
        if shown is None:
            return 0
        sizes = cv2.connectedComponentsWithStats(shown.mask, connectivity=8)[2][1:, -1]
        return int((sizes > _SPECK * np.percentile(sizes, 90)).sum()) if len(sizes) else 0
    return 0
