"""Each cell's crop through the network, in one or eight views.

Source: the cell networks of the HPA 2021 systems "Raman" and AllDataAreExt & Galixir; the latter
draws some of the eight views for each image, here they are the same for all. "Raman" also shifted
and scaled its crops.
"""

from collections.abc import Sequence

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.parts.looks import looks_of

NEEDS = ("crops",)


def build(
    views: str | Sequence[int] = "none",
    batch: int = 256,
    zoom: float = 0.0,
    shift: float = 0.0,
    seed: int = 0,
) -> Scorer:
    """Make the scorer.

    Args:
        views: `none` scores each crop as it is, `flips` also mirrored (4 in all), `dihedral` also
            turned (8), `3 of 8` three of these drawn by `seed`, or a list of numbers 0 to 7.
        batch: Images at a time; of no influence on the result beyond rounding.
        zoom: All views but the first are zoomed by a factor drawn from 1 less this to 1 and this.
        shift: And shifted by up to this share of the side.
        seed: Of the views that are drawn; two score steps with two seeds look in two ways.
    """
    chosen = looks_of(views, batch, zoom=zoom, shift=shift, seed=seed)

    def cell_net(predictor: Predictor, pixels: SitePixels) -> Views:
        # All views together: a field has few cells, and small batches waste most of the time.
        turned = torch.cat([look(pixels.crops) for look in chosen])
        logits = [
            predictor(turned[start : start + batch]).logits
            for start in range(0, len(turned), batch)
        ]
        shape = (len(chosen), len(pixels.crops), -1)
        return torch.cat(logits).reshape(shape)

    return Scorer("cell", cell_net)
