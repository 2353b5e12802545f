"""The class map of a whole field, read out under each cell's mask.

A network trained on fields says in its class map where each class was seen; a cell's number is the
mean (or the sum) of the map over the cell's pixels. Several sizes and views of the field are asked
and their maps averaged.

Source: class activation maps of Zhou et al. 2016 (arXiv 1512.04150), taken under cell masks as in
the HPA 2021 systems of Riedel (scales 1.0, 1.3 and 1.6, four flips, swish, sums times the field's
probability, then a sigmoid of the values scaled by their median and quartiles) and of AiRLab.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import silu

from cellwise.contracts.network import Asked
from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.errors import BadOption
from cellwise.parts.predictor import views_of
from cellwise.parts.resize import resize
from cellwise.parts.views import turn, turn_back

NEEDS = ("fields",)

_ACTIVATIONS = {"none": lambda values: values, "relu": torch.relu, "swish": silu}
# The sigmoid of Riedel's system: how steep, and where it is one half, in quartile distances.
_STEEP, _MIDDLE = 2.0, 0.2


def build(
    views: str | Sequence[int] = "none",
    over: str = "mean",
    scales: Sequence[float] = (1.0,),
    activation: str = "none",
    *,
    times_field: bool = False,
    robust: bool = False,
    bicubic: bool = False,
) -> Scorer:
    """Make the scorer.

    Args:
        views: `none`, `flips` for the field mirrored up and down, left and right (4 in all),
            `dihedral` for it turned as well (8), or a list of numbers 0 to 7.
        over: What is taken over a cell's pixels of the map, at the field's own size: `mean`, or
            `sum`, which favours large cells.
        scales: Sizes of the field as multiples of the size the network was trained at, above 0.
        activation: What is done to a map before it is read: `none`, `relu` or `swish`.
        times_field: Multiply with the network's probability of each class for the whole field.
        robust: Give logits relative to all cells and classes of the field: twice the distance from
            the median in quartile distances, less 0.4. Without it the numbers are the logits.
        bicubic: Bring the field and the map to other sizes by cubic in place of linear curves.
    """
    chosen = views_of(views, 1)
    if over not in ("mean", "sum"):
        raise BadOption(f"score cam: over is 'mean' or 'sum', not {over!r}.")
    if not scales or min(scales) <= 0:
        raise BadOption(f"score cam: scales are numbers above 0, not {list(scales)}.")
    if activation not in _ACTIVATIONS:
        raise BadOption(f"score cam: activation is none, relu or swish, not {activation!r}.")

    def cam(predictor: Predictor, pixels: SitePixels) -> Views:
        found, whole = [], []
        asked = Asked.CLASS_MAP | Asked.LOGITS if times_field else Asked.CLASS_MAP
        for scale in scales:
            field = _scaled(pixels.field, scale, bicubic=bicubic)
            for view in chosen:
                seen = predictor(turn(field[None], view), asked)
                active = _ACTIVATIONS[activation](turn_back(seen.class_map, view))
                class_map = resize(active, *pixels.masks.shape, bicubic=bicubic)[0]
                found.append(_under(class_map, pixels.masks, pixels.numbers, over=over))
                if times_field:
                    whole.append(seen.logits[0])
        values = torch.stack(found)
        if times_field:
            values = values * torch.stack(whole).mean(0).sigmoid()
        return _relative(values.mean(0))[None] if robust else values

    def class_map(predictor: Predictor, pixels: SitePixels) -> Tensor:
        turned = [turn(pixels.field[None], view) for view in chosen]
        maps = [predictor(one, Asked.CLASS_MAP).class_map for one in turned]
        back = [turn_back(one, view) for one, view in zip(maps, chosen, strict=True)]
        return torch.stack(back).mean(0)[0]

    return Scorer("site", cam, class_map=class_map)


def _scaled(field: Tensor, scale: float, *, bicubic: bool = False) -> Tensor:
    height, width = (max(round(side * scale), 1) for side in field.shape[1:])
    if scale == 1:
        return field
    found = resize(field[None], height, width, bicubic=bicubic)[0]
    # Cubic curves overshoot; pixels do not.
    return found.clamp(0, 1) if bicubic else found


def _relative(values: Tensor) -> Tensor:
    """Logits from what is typical in the field; all zero where nothing differs."""
    if values.numel() == 0:
        return values
    shares = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    quarter, middle, three = torch.quantile(values.double(), shares)
    apart = three - quarter
    if not apart > 0:
        return torch.zeros_like(values)
    relative: Tensor = _STEEP * ((values - middle) / apart - _MIDDLE)
    return relative.to(values.dtype)


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
