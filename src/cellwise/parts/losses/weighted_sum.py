"""A sum of other losses, each with its weight.

    loss: {name: weighted_sum, of: [focal, symmetric_lovasz, hard_log], weights: [0.5, 0.5, 0.5]}

Source: the combined losses of the HPA 2021 systems: one half each of focal, symmetric Lovasz and
hard log (AllDataAreExt & Galixir; "Raman"); focal and a quarter of soft hard log ("Raman", late).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cellwise.contracts.loss import ForGroups, ForTwoHeads, Loss, bound_loss
from cellwise.errors import BadOption
from cellwise.parts.losses import losses

SHELVES = {"of": "cellwise.parts.losses"}


def build(of: Sequence[str | dict[str, Any]], weights: Sequence[float] = ()) -> Loss | ForGroups:
    """Make the loss.

    Args:
        of: Losses, by name or as `{name: ..., option: value}`; all of one kind: a number per label,
            or a number per item.
        weights: One for each, 0 or more; 1 each where none are given.
    """
    parts = [losses.build(spec) for spec in of]
    if any(isinstance(part, ForTwoHeads) for part in parts):
        raise BadOption("loss weighted_sum: two_heads is a sum by itself and no part of one.")
    shares = list(weights) or [1.0] * len(parts)
    if not parts or len(shares) != len(parts) or min(shares) < 0:
        raise BadOption(
            f"loss weighted_sum: one weight, 0 or more, for each of the {len(parts)} losses under "
            f"`of`, not {list(weights)}."
        )

    if any(isinstance(part, ForGroups) for part in parts):
        return ForGroups(
            "weighted_sum",
            lambda groups: _sum([bound_loss(part, groups) for part in parts], shares),
        )
    return _sum(parts, shares)


def _sum(parts: Sequence[Loss], shares: Sequence[float]) -> Loss:
    def weighted_sum(logits: Tensor, targets: Tensor) -> Tensor:
        values = [w * part(logits, targets) for w, part in zip(shares, parts, strict=True)]
        shapes = {tuple(value.shape) for value in values}
        if len(shapes) > 1:
            raise BadOption(
                "loss weighted_sum: losses of labels and losses of items cannot be added."
            )
        return torch.stack(values).sum(0)

    return weighted_sum
