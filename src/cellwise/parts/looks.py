"""The ways to look at an image while scoring: turned, and then moved and zoomed a little.

Source: random views of the HPA 2021 systems AllDataAreExt & Galixir (three, six or all of the eight
turned ones) and "Raman" (shifted and scaled by up to 0.4). Here draws follow from a seed alone, so
that a score does not depend on luck nor on which cells were scored together.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from cellwise.errors import BadOption
from cellwise.parts.predictor import views_of
from cellwise.parts.views import turn

# Images `[item, channel, y, x]` to the same, seen in one way.
Look = Callable[[Tensor], Tensor]


def looks_of(
    views: str | Sequence[int], batch: int, *, zoom: float = 0.0, shift: float = 0.0, seed: int = 0
) -> tuple[Look, ...]:
    """Functions that show an image in each view; with `zoom` or `shift` all but the first move it.

    Args:
        views: As `views_of` takes them.
        batch: Images at a time.
        zoom: Factors are drawn from 1 less this to 1 and this; in 0..1, 1 excluded.
        shift: Largest shift as a share of the side, either way, in 0..1.
        seed: Of the draws.

    Raises:
        BadOption: A value out of range.
    """
    chosen = views_of(views, batch, seed)
    if not 0 <= zoom < 1 or not 0 <= shift <= 1:
        raise BadOption(
            f"score: zoom lies in 0..1, 1 excluded, and shift in 0..1, not {zoom} and {shift}."
        )
    draws = np.random.default_rng((seed, 1)).uniform(-1, 1, size=(len(chosen), 3))
    draws[0] = 0
    return tuple(
        _look(view, 1 + zoom * by[0], (shift * by[1], shift * by[2]))
        for view, by in zip(chosen, draws.tolist(), strict=True)
    )


def moved(pixels: Tensor, zoom: float, shift: tuple[float, float]) -> Tensor:
    """Images `zoom` times as large about their middle, then shifted down and right.

    Args:
        pixels: `[item, channel, y, x]`.
        zoom: Above 0.
        shift: Down and right, as shares of the side.

    Returns:
        Of the same size; what comes in from outside is zero.
    """
    if zoom == 1 and not any(shift):
        return pixels
    down, right = shift
    rows = [[1 / zoom, 0.0, -2 * right / zoom], [0.0, 1 / zoom, -2 * down / zoom]]
    theta = torch.tensor(rows, dtype=pixels.dtype, device=pixels.device)
    grid = affine_grid(theta.expand(len(pixels), 2, 3), list(pixels.shape), align_corners=False)
    return grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)


def _look(view: int, zoom: float, shift: tuple[float, float]) -> Look:
    return lambda pixels: moved(turn(pixels, view), zoom, shift)
