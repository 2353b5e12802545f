"""Whole sites, tile by tile: the mean logits over all tiles and views of a site.

A tile is turned and mirrored by itself. Mean of tiles, then of sites, is the mean over all tiles of
a well, since sites have equally many.

Source: the RxRx1 system of Lin & Lin: eight tiles of 256 pixels of a well, logits averaged, four
mirrored views; turned views as in the other teams' systems.
"""

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.errors import BadOption
from cellwise.parts.predictor import views_of
from cellwise.parts.tiles import tiles_of
from cellwise.parts.views import turn

NEEDS = ("tiles",)


def build(views: str = "none", batch: int = 64) -> Scorer:
    """Make the scorer.

    Args:
        views: `none`, `flips` for tiles mirrored as well (4 in all), or `dihedral` for them turned
            too (8).
        batch: Tiles at a time; of no influence on the result beyond rounding.
    """
    chosen = views_of(views, batch)

    def tiles(predictor: Predictor, pixels: SitePixels) -> Views:
        if not pixels.tile:
            raise BadOption("score tiles: the model learned no tiles; take 'by: field_net'.")
        cut = tiles_of(pixels.field[None], pixels.tile)[0]
        seen = []
        for view in chosen:
            turned = turn(cut, view)
            some = [
                predictor(part, covariates=pixels.told).logits
                for part in torch.split(turned, batch)
            ]
            seen.append(torch.cat(some).mean(0))
        return torch.stack(seen)[:, None]

    return Scorer("site", tiles, gives="site", items="tiles")
