"""How near the class map comes to its highest place in the field, read out under each cell's mask.

Of each class the map of the whole field, averaged over views, is cut off below 0 and divided by its
maximum, so that 1 is where the class was seen best, whether the network is sure of it or not. A
cell's number is the mean or a quantile of this over its pixels, given as a logit: the logistic
function of the score is the share. A class that is nowhere above 0 has a share of 0 everywhere.

Such shares are compared within a class and a field. They are what the labeller `threshold` reads.

Source: class activation maps of Zhou et al. 2016 (arXiv 1512.04150); division by the maximum is how
pseudo-labels are cut from them since Wei et al. 2017 (arXiv 1703.08448), and completes what the HPA
2021 system of AiRLab says of its own.
"""

import torch
from torch import Tensor

from cellwise.contracts.network import Asked
from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.errors import BadOption
from cellwise.parts.predictor import views_of
from cellwise.parts.resize import resize
from cellwise.parts.views import turn, turn_back

NEEDS = ("fields",)

# Shares of 0 and 1 as logits.
_LEAST = 1e-6


def build(views: str = "none", over: str = "mean", quantile: float = 0.9) -> Scorer:
    """Make the scorer.

    Args:
        views: `none`, `flips` for the field mirrored up and down, left and right (4 in all), or
            `dihedral` for it turned as well (8).
        over: What is taken over a cell's pixels: `mean`, or `quantile`, which lets a small place
            within a large cell speak for it.
        quantile: Which one, in 0..1.
    """
    chosen = views_of(views, 1)
    if over not in ("mean", "quantile"):
        raise BadOption(f"score cam_share: over is 'mean' or 'quantile', not {over!r}.")
    if not 0 <= quantile <= 1:
        raise BadOption(f"score cam_share: quantile lies in 0..1, not {quantile}.")

    def class_map(predictor: Predictor, pixels: SitePixels) -> Tensor:
        turned = [turn(pixels.field[None], view) for view in chosen]
        maps = [predictor(one, Asked.CLASS_MAP).class_map for one in turned]
        back = [turn_back(one, view) for one, view in zip(maps, chosen, strict=True)]
        return torch.stack(back).mean(0)[0]

    def cam_share(predictor: Predictor, pixels: SitePixels) -> Views:
        seen = resize(class_map(predictor, pixels)[None], *pixels.masks.shape)[0].clamp_min(0)
        peak = seen.flatten(1).amax(1)[:, None, None]
        shares = torch.where(peak > 0, seen / torch.where(peak > 0, peak, 1), 0)
        under = _under(shares, pixels.masks, pixels.numbers, None if over == "mean" else quantile)
        return torch.logit(under, eps=_LEAST)[None]

    return Scorer("site", cam_share, class_map=class_map)


def _under(shares: Tensor, masks: Tensor, numbers: Tensor, quantile: float | None) -> Tensor:
    """`[cell, class]`: mean or quantile of `[class, y, x]` over each cell's pixels; 0 for none."""
    flat, cells = shares.flatten(1).to(torch.float64), masks.flatten()
    order = torch.argsort(cells, stable=True)
    begins = torch.searchsorted(cells[order], numbers)
    ends = torch.searchsorted(cells[order], numbers, right=True)
    found = torch.zeros((len(numbers), len(flat)), dtype=torch.float64)
    for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        if begin == end:
            continue
        own = flat[:, order[begin:end]]
        found[row] = own.mean(1) if quantile is None else torch.quantile(own, quantile, dim=1)
    return found.to(torch.float32)
