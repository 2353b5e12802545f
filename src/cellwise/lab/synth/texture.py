"""What stains are made of: grain, mesh, spots and strokes, on planes of any pixel size.

Everything is drawn at sub-pixel places and added up as light, so that a structure gets fainter, and
never jagged, when pixels are larger than it.
"""

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

# The L2 norm of a Gaussian kernel of sigma 1 in two dimensions: 1 / (2 sqrt(pi)).
_KERNEL_NORM = 0.28209479
# The radius of a disc over the sigma of the Gaussian drawn for it.
_SIGMAS_PER_RADIUS = 1.4
_PIXEL_SIGMA = 0.3


def grain(
    shape: tuple[int, int], micrometres: float, *, pixel_size: float, rng: np.random.Generator
) -> Plane:
    """Noise of mean 0 and sd about 1 whose grains are `micrometres` wide."""
    step = max(micrometres / pixel_size / 2.0, 1.0)
    coarse = tuple(int(np.ceil(side / step)) + 6 for side in shape)
    # Even numbers are drawn six times faster than normal ones, and a blur makes them normal.
    noise = rng.random(coarse, dtype=np.float32)
    noise -= np.float32(0.5)
    noise *= np.float32(np.sqrt(12))
    sigma = micrometres / pixel_size / 2.0 / step
    if sigma > 0.5:
        noise = blur(noise, sigma) * np.float32(sigma / _KERNEL_NORM)
    if step > 1.0:
        target = tuple(int(np.ceil(side * step)) for side in coarse)
        noise = cv2.resize(noise, target[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(noise[3 : 3 + shape[0], 3 : 3 + shape[1]], np.float32)


def mesh(
    shape: tuple[int, int], micrometres: float, *, pixel_size: float, rng: np.random.Generator
) -> Plane:
    """A net of thin strands, 0..1, whose meshes are about twice `micrometres` wide."""
    noise = grain(shape, micrometres, pixel_size=pixel_size, rng=rng)
    return np.asarray(np.exp(-np.square(noise * 1.8)), np.float32)


def blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian of `sigma` pixels; nothing below a tenth of a pixel."""
    if sigma < 0.1:
        return plane
    side = 2 * int(np.ceil(3 * sigma)) + 1
    return np.asarray(
        cv2.GaussianBlur(plane, (side, side), sigma, borderType=cv2.BORDER_REFLECT), np.float32
    )


def wide_blur(plane: Plane, sigma: float) -> Plane:
    """As `blur`, computed on a smaller plane where the blur is much wider than a pixel."""
    step = int(sigma // 3)
    if step < 2:
        return blur(plane, sigma)
    height, width = plane.shape
    small = (max(width // step, 1), max(height // step, 1))
    coarse = cv2.resize(plane, small, interpolation=cv2.INTER_AREA)
    soft = blur(np.asarray(coarse, np.float32), sigma * small[0] / width)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def spots(
    shape: tuple[int, int],
    places: tuple[Numbers, Numbers],
    *,
    radii: Numbers,
    heights: Numbers,
    pixel_size: float,
) -> Plane:
    """Round spots, added up; a spot smaller than a pixel keeps its light and loses its height.

    Args:
        shape: Of the plane.
        places: y and x of the spots `[spot]`, micrometres.
        radii: Micrometres `[spot]`.
        heights: Brightness in the middle of a spot that is large `[spot]`.
        pixel_size: Micrometres per pixel.
    """
    if not len(radii):
        return np.zeros(shape, np.float32)
    true = radii / _SIGMAS_PER_RADIUS / pixel_size
    sigma = np.sqrt(np.square(true) + _PIXEL_SIGMA**2)
    lights = heights * np.square(true / sigma)
    reach = int(np.ceil(3 * sigma.max()))
    offsets = np.arange(-reach, reach + 1)
    profiles, indices = [], []
    for place in places:
        middle = place / pixel_size
        index = np.round(middle).astype(np.int64)[:, None] + offsets
        profiles.append(np.exp(-0.5 * np.square((index - middle[:, None]) / sigma[:, None])))
        indices.append(index)
    values = (lights[:, None] * profiles[0])[:, :, None] * profiles[1][:, None, :]
    rows = np.broadcast_to(indices[0][:, :, None], values.shape)
    columns = np.broadcast_to(indices[1][:, None, :], values.shape)
    return _add_up(shape, rows, columns, values)


def strokes(
    shape: tuple[int, int],
    lines: tuple[Numbers, Numbers],
    *,
    weights: Numbers | None = None,
    width: float,
    pixel_size: float,
) -> Plane:
    """Curves of light, added up; a straight line a pixel wide has brightness 1.

    Args:
        shape: Of the plane.
        lines: y and x of the points `[curve, point]`, micrometres, at most a pixel apart.
        weights: Brightness `[curve, point]`, 1 by default.
        width: Full width at half height, micrometres.
        pixel_size: Micrometres per pixel.
    """
    if not lines[0].size:
        return np.zeros(shape, np.float32)
    y, x = (line / pixel_size for line in lines)
    pace = np.hypot(np.diff(y, axis=1), np.diff(x, axis=1))
    values = np.concatenate([pace[:, :1], pace], axis=1)
    if weights is not None:
        values = values * weights
    top, left = np.floor(y), np.floor(x)
    down, right = y - top, x - left
    row, column = top.astype(np.int64), left.astype(np.int64)
    plane = _add_up(
        shape,
        np.stack([row, row, row + 1, row + 1]),
        np.stack([column, column + 1, column, column + 1]),
        np.stack(
            [
                values * (1 - down) * (1 - right),
                values * (1 - down) * right,
                values * down * (1 - right),
                values * down * right,
            ]
        ),
    )
    return blur(plane, width / 2.355 / pixel_size)


def level(plane: Plane) -> float:
    """Brightness at the structure: the mean, each pixel weighted by its own light."""
    total = float(plane.sum())
    return float(np.square(plane).sum()) / total if total > 0 else 0.0


def _add_up(
    shape: tuple[int, int],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    values: Numbers,
) -> Plane:
    """Sum of the values at each pixel; what falls outside is left out."""
    height, width = shape
    out = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    place = np.where(out, 0, rows * width + columns)
    total = np.bincount(
        place.ravel(), weights=np.where(out, 0.0, values).ravel(), minlength=height * width
    )
    return total.reshape(shape).astype(np.float32)
