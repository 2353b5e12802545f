"""The class map of a whole field, read out under each cell's mask.

A network trained on fields says in its class map where each class was seen; a cell's logit is the
mean (or the sum) of the map over the cell's pixels.

Source: class activation maps of Zhou et al. 2016 (arXiv 1512.04150), taken under cell masks as in
the HPA 2021 systems of Riedel and of AiRLab.
"""

import torch
from torch import Tensor

from cellwise.errors import BadOption
from cellwise.parts.augment._views import turn, turn_back
from cellwise.parts.resize import resize
from cellwise.stages.score._scorer import Predictor, Scorer, SitePixels, Views, views_of

NEEDS = ("fields",)


def build(views: str = "none", over: str = "mean") -> Scorer:
    """Make the scorer.

    Args:
        views: `none`, or `dihedral` for the field turned and mirrored as well (8 in all).
        over: What is taken over a cell's pixels of the map, at the field's own size: `mean`, or
            `sum`, which favours large cells.
    """
    chosen = views_of(views, 1)
    if over not in ("mean", "sum"):
        raise BadOption(f"score cam: over is 'mean' or 'sum', not {over!r}.")

    def cam(predictor: Predictor, pixels: SitePixels) -> Views:
        masks, numbers = pixels.masks, pixels.numbers
        found = []
        for view in chosen:
            small = predictor(turn(pixels.field[None], view)).class_map
            class_map = resize(turn_back(small, view), *masks.shape)[0]
            found.append(_under(class_map, masks, numbers, over=over))
        return torch.stack(found)

    return Scorer("site", cam)


def _under(class_map: Tensor, masks: Tensor, numbers: Tensor, *, over: str) -> Tensor:
    """`[cell, class]`: the map `[class, y, x]` over the pixels of each cell number."""
    inside = masks > 0
    place = torch.searchsorted(numbers, masks[inside])
    known = place.clamp_max(len(numbers) - 1)
    hit = numbers[known] == masks[inside]
    # Sums over many pixels lose digits in single precision.
    values = class_map[:, inside][:, hit].T.to(torch.float64)
    shape = (len(numbers), class_map.shape[0])
    total = torch.zeros(shape, dtype=torch.float64).index_add_(0, known[hit], values)
    if over == "sum":
        return total.to(torch.float32)
    count = torch.bincount(known[hit], minlength=len(numbers)).clamp_min(1)
    return (total / count[:, None]).to(torch.float32)
