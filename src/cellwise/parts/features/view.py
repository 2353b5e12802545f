"""What of a field belongs to one cell, and its signal: all that features are measured on.

Pixels of other cells are 0 and weigh nothing: an image is smoothed as the blurred image over the
blurred mask (normalised convolution, Knutsson and Westin, CVPR 1993), so that no neighbour and no
edge of the mask shows in it.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.kernels.features.distribution import describe
from cellwise.kernels.features.zones import places_of_parts, put_above

Plane = npt.NDArray[np.float32]
Flags = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64]

OBJECTS = ("Cells", "Nuclei", "Cytoplasm")
CELL, NUCLEUS, CYTOPLASM = range(3)
# With fewer pixels an object counts as not there.
LEAST_PIXELS = 12
# Quantiles that are taken of smoothed signals.
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.995)
_SHARES = np.array(SHARES)
# As far as the farthest neighbour that a pixel is compared with.
PAD = 3
_FAR = np.float32(1e4)


@dataclass(frozen=True, slots=True)
class View:
    """The window of one cell, `[y, x]`.

    Args:
        inside: 1 for its pixels.
        nucleus: 1 for those of its nucleus, all inside.
        parts: 1 for the nucleus, 2 for the rest of the cell.
        at: Flat positions of the cell's pixels, those of the nucleus first.
        first: How many of them are the nucleus's.
        there: Which of `OBJECTS` are in view with enough pixels.
        whole: Whether all of them are.
        depth: Distance to the nearest pixel outside the cell; what lies beyond the field is not
            known to be outside.
        away: Distance from the nucleus's outline, negative inside; NaN where there is no nucleus.
        border: How many edges of the field the cell touches.
        blurred: Blurred masks by sigma, as factors; filled when they are first needed.
    """

    inside: Flags
    nucleus: Flags
    parts: Flags
    at: Places
    first: int
    there: npt.NDArray[np.bool_]
    whole: bool
    depth: Plane
    away: Plane
    border: int
    blurred: dict[float, Plane] = field(default_factory=dict)

    @property
    def has_nucleus(self) -> bool:
        """Whether its nucleus is in view."""
        return bool(self.there[NUCLEUS])

    def known(self, numbers: Numbers) -> Numbers:
        """The numbers `[object, ...]`, NaN for objects that are not there; changed in place."""
        if not self.whole:
            numbers[~self.there] = np.nan
        return numbers

    def places(self, who: int) -> Places:
        """Flat positions of the pixels of one of `OBJECTS`; none where it is not there."""
        if not self.there[who]:
            return self.at[:0]
        return (self.at, self.at[: self.first], self.at[self.first :])[who]


@dataclass(frozen=True, slots=True)
class Signal:
    """One channel of a cell above the field's background.

    Args:
        view: The cell.
        level: Mean over the cell, in 0..1 of the intensity scale.
        divisor: That mean and the noise: what the signal is divided by.
        relative: `[y, x]`, the signal over the divisor; 0 outside the cell.
        smoothed: Smoothed images by sigma; filled when they are first needed.
        spreads: How they are distributed, by sigma; filled likewise.
    """

    view: View
    level: float
    divisor: float
    relative: Plane
    smoothed: dict[float, Plane] = field(default_factory=dict)
    spreads: dict[float, Numbers] = field(default_factory=dict)

    def at(self, sigma: float) -> Plane:
        """The relative signal smoothed with `sigma` in pixels, from pixels of the cell alone."""
        if sigma not in self.smoothed:
            self.smoothed[sigma] = blur(self.relative, sigma) * _factors(self.view, sigma)
        return self.smoothed[sigma]

    def spread(self, sigma: float) -> Numbers:
        """Moments of the smoothed signal and its quantiles at `SHARES`, `[object, number]`."""
        if sigma not in self.spreads:
            self.spreads[sigma] = self.describe(self.at(sigma), _SHARES)
        return self.spreads[sigma]

    def describe(self, plane: Plane, shares: Numbers) -> Numbers:
        """`kernels.features.distribution.describe` of an image in the cell, `[object, number]`."""
        return self.view.known(describe(plane, self.view.at, self.view.first, shares))


def blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur, cut off at three sigma; beyond the frame is 0."""
    side = 2 * int(np.ceil(3 * sigma)) + 1
    done: Plane = cv2.GaussianBlur(plane, (side, side), sigma, borderType=cv2.BORDER_CONSTANT)
    return done


def disc(radius: int) -> Flags:
    """Pixels whose centres lie within half a pixel more than the radius of the middle one."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(y * y + x * x <= radius * (radius + 1), np.uint8)


def make_view(
    cells: npt.NDArray[np.uint32],
    nuclei: npt.NDArray[np.uint32],
    number: int,
    box: tuple[int, int, int, int],
    around: int = 0,
) -> View:
    """Cut out one cell.

    Args:
        cells: Label image of the field.
        nuclei: Label image of nuclei; a nucleus has its cell's number.
        number: Of the cell.
        box: Its box, half-open `(y0, x0, y1, x1)`.
        around: With a number of pixels, what is measured is the nucleus and so much around it
            without other cells, for panels that show nuclei only; 0 for the cell as it is outlined.
    """
    own = _window(cells, box, PAD + around)
    whole = own == number
    nucleus = ((_window(nuclei, box, PAD + around) == number) & whole).astype(np.uint8)
    inside = whole.astype(np.uint8)
    if around and nucleus.sum() >= LEAST_PIXELS:
        # A cell's own mask may be its nucleus; others and what lies beyond the field stay out.
        free = ((own == number) | (own == 0)) & _in_field(cells.shape, box, PAD + around)
        inside = cv2.dilate(nucleus, disc(around)) & free.astype(np.uint8)
    if nucleus.sum() < LEAST_PIXELS:
        nucleus = np.zeros_like(inside)
    y0, x0, y1, x1 = box
    height, width = cells.shape
    parts = np.asarray(2 * inside - nucleus, np.uint8)
    at, first = places_of_parts(parts)
    has_nucleus = first > 0
    has_rest = has_nucleus and len(at) - first >= LEAST_PIXELS
    border = int(y0 == 0) + int(x0 == 0) + int(y1 == height) + int(x1 == width)
    seen = inside
    if min(y0, x0, height - y1, width - x1) < PAD + around:
        beyond = ~_in_field(cells.shape, box, PAD + around)
        seen = inside | beyond.astype(np.uint8)
    return View(
        inside=inside,
        nucleus=nucleus,
        parts=parts,
        at=at,
        first=first,
        there=np.array([True, has_nucleus, has_rest]),
        whole=has_rest,
        depth=_distance(seen),
        away=_away(nucleus),
        border=border,
    )


def make_signal(view: View, plane: Plane, background: float, noise: float) -> Signal:
    """The signal of one channel in the window of a cell.

    Args:
        view: The cell.
        plane: `[y, x]` as large as the view, in 0..1.
        background: Level that counts as no signal.
        noise: Added to the mean that the signal is divided by, so that noise alone stays small.
    """
    above = np.zeros_like(plane)
    level = put_above(plane.ravel(), view.at, np.float32(background), above.ravel())
    divisor = max(level + noise, 1e-9)
    above *= np.float32(1 / divisor)
    return Signal(view, level, divisor, above)


def crop(plane: Plane, box: tuple[int, int, int, int], around: int = 0) -> Plane:
    """The window of a box in `[y, x]`, 0 beyond the field."""
    return _window(plane, box, PAD + around)


def _window(image: npt.NDArray, box: tuple[int, int, int, int], pad: int) -> npt.NDArray:  # type: ignore[type-arg]
    y0, x0, y1, x1 = box
    height, width = image.shape
    made = np.zeros((y1 - y0 + 2 * pad, x1 - x0 + 2 * pad), image.dtype)
    top, left = max(y0 - pad, 0), max(x0 - pad, 0)
    bottom, right = min(y1 + pad, height), min(x1 + pad, width)
    down, over = top - y0 + pad, left - x0 + pad
    made[down : down + bottom - top, over : over + right - left] = image[top:bottom, left:right]
    return made


def _in_field(
    shape: tuple[int, ...], box: tuple[int, int, int, int], pad: int
) -> npt.NDArray[np.bool_]:
    y0, x0, y1, x1 = box
    rows, columns = np.arange(y0 - pad, y1 + pad), np.arange(x0 - pad, x1 + pad)
    return ((rows >= 0) & (rows < shape[0]))[:, None] & ((columns >= 0) & (columns < shape[1]))


def _distance(mask: Flags) -> Plane:
    """Distance between centres of each pixel of the mask and the nearest one that is none.

    Off by at most 2 %. Source: Borgefors, Comput. Vis. Graph. Image Process. 34, 344 (1986).
    """
    if mask.all():
        return np.full(mask.shape, _FAR)
    found: Plane = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)
    return found


def _away(nucleus: Flags) -> Plane:
    if not nucleus.any():
        return np.full(nucleus.shape, np.nan, np.float32)
    away = _distance(np.uint8(1) - nucleus)
    y, x = (np.flatnonzero(nucleus.any(axis)) for axis in (1, 0))
    # Depths of the nucleus in its own box, which is much smaller.
    box = (slice(y[0] - 1, y[-1] + 2), slice(x[0] - 1, x[-1] + 2))
    away[box] -= _distance(np.ascontiguousarray(nucleus[box]))
    return away


def _factors(view: View, sigma: float) -> Plane:
    if sigma not in view.blurred:
        weight = blur(view.inside.astype(np.float32), sigma)
        view.blurred[sigma] = np.reciprocal(np.maximum(weight, np.float32(1e-6)))
    return view.blurred[sigma]
