"""Each cell's crop through the network, in one or eight views.

Source: the cell networks of the HPA 2021 systems "Raman" and AllDataAreExt & Galixir; the latter
draws views by chance, here all eight are taken, so that a score never depends on luck.
"""

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.parts.predictor import views_of
from cellwise.parts.views import turn

NEEDS = ("crops",)


def build(views: str = "none", batch: int = 256) -> Scorer:
    """Make the scorer.

    Args:
        views: `none` scores each crop as it is, `flips` also mirrored (4 in all), `dihedral` also
            turned (8).
        batch: Images at a time; of no influence on the result beyond rounding.
    """
    chosen = views_of(views, batch)

    def cell_net(predictor: Predictor, pixels: SitePixels) -> Views:
        # All views together: a field has few cells, and small batches waste most of the time.
        turned = torch.cat([turn(pixels.crops, view) for view in chosen])
        logits = [
            predictor(turned[start : start + batch]).logits
            for start in range(0, len(turned), batch)
        ]
        shape = (len(chosen), len(pixels.crops), -1)
        return torch.cat(logits).reshape(shape)

    return Scorer("cell", cell_net)
