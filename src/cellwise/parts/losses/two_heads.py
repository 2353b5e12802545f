"""A loss for each of two heads: the first of the logits that answer, the second of cosines beside.

    net: {name: backbone, model: densenet161, head: softmax_and_arcface}
    loss: {name: two_heads, of: [{name: softmax, none: false}, arcface], weights: [0.8, 0.2]}

Epochs are judged by the first alone: the second head is gone when the network is asked.

Source: the winner of the RxRx1 challenge (Sypetkowski 2019): 0.8 of cross-entropy and 0.2 of one
half of ArcFace.
"""

from collections.abc import Sequence
from typing import Any

from cellwise.contracts.loss import ForTwoHeads
from cellwise.errors import BadOption
from cellwise.parts.losses import losses

SHELVES = {"of": "cellwise.parts.losses"}
_HEADS = 2


def build(of: Sequence[str | dict[str, Any]], weights: Sequence[float] = (0.8, 0.2)) -> ForTwoHeads:
    """Make the loss.

    Args:
        of: The loss of the logits and that of the cosines, by name or as
            `{name: ..., option: value}`.
        weights: One for each, 0 or more.
    """
    parts = [losses.build(spec) for spec in of]
    nested = any(isinstance(part, ForTwoHeads) for part in parts)
    if nested or len(parts) != _HEADS or len(weights) != _HEADS or min(weights) < 0:
        raise BadOption(
            f"loss two_heads: two losses of one head each under `of` and two weights, 0 or more, "
            f"not {len(parts)} losses and {list(weights)}."
        )
    return ForTwoHeads(parts[0], parts[1], (float(weights[0]), float(weights[1])))
