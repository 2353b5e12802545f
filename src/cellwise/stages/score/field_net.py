"""The whole field through the network: one score per field, not per cell.

What a field shows is easier to say than what a cell shows; `decide` can bring both together.

Source: the image-level networks beside the cell networks of the HPA 2021 systems (Riedel, red.ai).
"""

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.parts.predictor import views_of
from cellwise.parts.views import turn

NEEDS = ("fields",)


def build(views: str = "none") -> Scorer:
    """Make the scorer.

    Args:
        views: `none`, `flips` for the field mirrored as well (4 in all), or `dihedral` for it
            turned too (8).
    """
    chosen = views_of(views, 1)

    def field_net(predictor: Predictor, pixels: SitePixels) -> Views:
        field = pixels.field[None]
        return torch.stack([predictor(turn(field, view)).logits for view in chosen])

    return Scorer("site", field_net, gives="site")
