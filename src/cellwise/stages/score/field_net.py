"""The whole field through the network: one score per field, not per cell.

What a field shows is easier to say than what a cell shows; `decide` can bring both together.

Source: the image-level networks beside the cell networks of the HPA 2021 systems (Riedel, red.ai).
"""

from collections.abc import Sequence

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.parts.looks import looks_of

NEEDS = ("fields",)


def build(
    views: str | Sequence[int] = "none", zoom: float = 0.0, shift: float = 0.0, seed: int = 0
) -> Scorer:
    """Make the scorer.

    Args:
        views: `none`, `flips` for the field mirrored as well (4 in all), `dihedral` for it turned
            too (8), `3 of 8` for three of these drawn by `seed`, or a list of numbers 0 to 7.
        zoom: All views but the first are zoomed by a factor drawn from 1 less this to 1 and this.
        shift: And shifted by up to this share of the side.
        seed: Of the views that are drawn; two score steps with two seeds look in two ways.
    """
    chosen = looks_of(views, 1, zoom=zoom, shift=shift, seed=seed)

    def field_net(predictor: Predictor, pixels: SitePixels) -> Views:
        field = pixels.field[None]
        return torch.stack([predictor(look(field)).logits for look in chosen])

    return Scorer("site", field_net, gives="site")
