"""Ridges, blobs and holes of an image: what its first and second derivatives say at each pixel."""

import numba
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]


def ridge_maps(smooth: Plane, sigma: float) -> tuple[Plane, Plane, Plane]:
    """Ridge, blob and hole strength of an image that was smoothed with `sigma`, all at least 0.

    With the eigenvalues l1 <= l2 of the Hessian times sigma squared: ridge is -l1 - |l2|, blob -l2,
    hole l1, each where it is positive.

    Source: Lindeberg, Int. J. Comput. Vis. 30, 117 (1998), for the scale; the ridge is that of
    Frangi et al., MICCAI 1998, without its exponentials.

    Args:
        smooth: `[y, x]`; derivatives are differences of neighbours, 0 at the frame.
        sigma: In pixels.
    """
    maps = np.zeros((3, *smooth.shape), np.float32)
    _maps(smooth, np.float32(sigma * sigma), maps)
    return maps[0], maps[1], maps[2]


def gradient_products(smooth: Plane) -> tuple[Plane, Plane, Plane]:
    """Products yy, xx and yx of the gradient, whose local means are the structure tensor."""
    products = np.zeros((3, *smooth.shape), np.float32)
    _products(smooth, products)
    return products[0], products[1], products[2]


def coherence(
    yy: Plane, xx: Plane, yx: Plane, at: npt.NDArray[np.int32], first: int
) -> npt.NDArray[np.float64]:
    """Mean agreement of gradients, 0..1, from local means of their products.

    Args:
        yy: `[y, x]`, and so `xx` and `yx`.
        xx: See `yy`.
        yx: See `yy`.
        at: Flat positions of the pixels.
        first: How many of them, from the beginning, are the first part.

    Returns:
        That of all pixels, of the first part and of the rest; NaN for an empty part.
    """
    return np.asarray(_coherence(yy.ravel(), xx.ravel(), yx.ravel(), at, first))


def ridge_directions(
    smooth: Plane, ridge: Plane, away: Plane, at: npt.NDArray[np.int32], first: int
) -> npt.NDArray[np.float64]:
    """Whether ridges run the same way, and how they run about the nucleus.

    Args:
        smooth: `[y, x]`, what `ridge` was found on.
        ridge: `[y, x]`, their strength.
        away: `[y, x]`, distance from the nucleus; NaN for none.
        at: Flat positions of the cell's pixels, none within two pixels of the frame.
        first: How many of them, from the beginning, are the nucleus's.

    Returns:
        Length of the mean of exp(2i angle) by ridge strength, 0..1; and the mean of cos(2 (angle
        across the ridge - direction away from the nucleus)) outside the nucleus, 1 where ridges run
        around the nucleus, -1 where they run away from it. NaN where there is no ridge.
    """
    return np.asarray(
        _directions(smooth.ravel(), ridge.ravel(), away.ravel(), smooth.shape[1], at, first)
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _maps(smooth, scale, maps):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = smooth.shape
    none, quarter, half_ = np.float32(0), np.float32(0.25), np.float32(0.5)
    for y in range(2, height - 2):
        far, up, own = smooth[y - 2], smooth[y - 1], smooth[y]
        down, below = smooth[y + 1], smooth[y + 2]
        ridge, blob, hole = maps[0, y], maps[1, y], maps[2, y]
        for x in range(2, width - 2):
            middle = own[x] + own[x]
            yy = (below[x] - middle + far[x]) * quarter
            xx = (own[x + 2] - middle + own[x - 2]) * quarter
            yx = (down[x + 1] - down[x - 1] - up[x + 1] + up[x - 1]) * quarter
            mean, part = (yy + xx) * half_ * scale, (xx - yy) * half_
            half = np.sqrt(part * part + yx * yx) * scale
            low, high = mean - half, mean + half
            ridge[x] = max(max(-low, none) - abs(high), none)
            blob[x] = max(-high, none)
            hole[x] = max(low, none)


@numba.njit(cache=True, nogil=True)
def _products(smooth, products):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = smooth.shape
    half = np.float32(0.5)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            dy = (smooth[y + 1, x] - smooth[y - 1, x]) * half
            dx = (smooth[y, x + 1] - smooth[y, x - 1]) * half
            products[0, y, x] = dy * dy
            products[1, y, x] = dx * dx
            products[2, y, x] = dy * dx


@numba.njit(cache=True, nogil=True)
def _directions(smooth, ridge, away, width, at, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    real = imaginary = total = 0.0
    around = weight = 0.0
    for n in range(len(at)):
        here = at[n]
        strength = np.float64(ridge[here])
        if strength <= 0:
            continue
        up, down = here - width, here + width
        # The double angle of the axis across the ridge; the diagonal term of the Hessian is halved
        # by the factor four of the others.
        cosine = smooth[down + width] + smooth[up - width] - smooth[here + 2] - smooth[here - 2]
        sine = smooth[down + 1] - smooth[down - 1] - smooth[up + 1] + smooth[up - 1]
        cosine, sine = np.float64(cosine), -2.0 * np.float64(sine)
        length = np.sqrt(cosine * cosine + sine * sine)
        if length == 0:
            continue
        cosine, sine = cosine / length, sine / length
        real += strength * cosine
        imaginary += strength * sine
        total += strength
        if n >= first:
            dy = np.float64(away[down]) - away[up]
            dx = np.float64(away[here + 1]) - away[here - 1]
            square = dy * dy + dx * dx
            if square > 0:
                twice = (cosine * (dx * dx - dy * dy) + sine * 2 * dy * dx) / square
                around += strength * twice
                weight += strength
    result = np.full(2, np.nan)
    if total > 0:
        result[0] = np.sqrt(real * real + imaginary * imaginary) / total
    if weight > 0:
        result[1] = around / weight
    return result


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _coherence(yy, xx, yx, at, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    one = rest = 0.0
    for n in range(len(at)):
        here = at[n]
        apart, both = xx[here] - yy[here], xx[here] + yy[here]
        strength = np.sqrt(apart * apart + 4 * yx[here] * yx[here]) / (both + np.float32(1e-4))
        if n < first:
            one += strength
        rest += strength
    rest -= one
    result = np.full(3, np.nan)
    result[0] = (one + rest) / len(at)
    if first > 0:
        result[1] = one / first
    if len(at) > first:
        result[2] = rest / (len(at) - first)
    return result
