"""Learn from whole fields and from their four quarters: both must see the same, in the same places.

A class map made of four quarters cannot lean on what lies far away; asking that it agrees with the
map of the whole spreads the map over all that shows the class, and not only over what shows it
best.

`loss(whole) + loss(mean of the quarters' map) + alpha / classes * mean |map - quarters' map|`, the
last over the classes that the field has; alpha rises from 0 over the first half of the training. It
was chosen beside a loss summed over classes; ours is their mean, hence the division.

Source: Puzzle-CAM (Jo and Yu 2021, arXiv 2101.11253), and its use by the HPA 2021 system of Riedel.
"""

import torch
from torch import Tensor

from cellwise.contracts.loss import Loss
from cellwise.contracts.network import Asked, Output
from cellwise.contracts.task import Forward, Task, Truth, item_loss
from cellwise.errors import BadOption
from cellwise.parts.batches import images

NEEDS = ("fields",)

_LEVELS = ("feature", "cam")
_LEAST = 1e-5


def build(size: int = 256, alpha: float = 4.0, rise: float = 0.5, level: str = "feature") -> Task:
    """Make the task.

    Args:
        size: Side in pixels that fields are resized to; its half a multiple of the pixels per place
            of the network's map.
        alpha: Greatest weight of the agreement, 0 or more.
        rise: Share of the training over which it rises, above 0 and up to 1.
        level: What has to agree: `feature` the maps as they are, or `cam` what is positive in them
            as a
            share of the map's greatest value.
    """
    if not 32 <= size <= 8192 or size % 2:
        raise BadOption(f"task puzzle: size is an even number of 32 to 8192 pixels, not {size}.")
    if alpha < 0 or not 0 < rise <= 1 or level not in _LEVELS:
        raise BadOption(
            "task puzzle: alpha is not negative, rise above 0 and up to 1, level feature or cam."
        )

    def objective(
        forward: Forward, pixels: Tensor, truth: Truth, loss: Loss, done: float
    ) -> Tensor:
        whole = forward(pixels, Asked.LOGITS | Asked.CLASS_MAP)
        parts = stitch(forward(quarters(pixels), Asked.CLASS_MAP).class_map)
        if parts.shape != whole.class_map.shape:
            places, put_together = whole.class_map.shape[2], parts.shape[2]
            raise BadOption(
                f"task puzzle: the map of {pixels.shape[2]} pixels has {places} places a side, "
                f"that of the quarters {put_together}. Choose a size whose half is a multiple of "
                "the network's stride."
            )
        _check_head(whole)
        classes = item_loss(whole.logits, truth, loss) + item_loss(parts.mean((2, 3)), truth, loss)
        apart = (_level(whole.class_map, level) - _level(parts, level)).abs()
        agreement = (apart * truth.targets[:, :, None, None]).mean() / truth.targets.shape[1]
        return classes + min(done / rise, 1.0) * alpha * agreement

    return Task("site", size, "unused", images.build(), item_loss, objective)


def _check_head(whole: Output) -> None:
    """Refuse a head whose map is not what its logits are the mean of."""
    # Whatever is no number is the business of whoever looks at the loss.
    mean = whole.class_map.mean((2, 3))
    same = torch.allclose(mean, whole.logits, rtol=1e-2, atol=1e-2, equal_nan=True)
    if not same or (whole.logits.requires_grad and not whole.class_map.requires_grad):
        raise BadOption(
            "task puzzle: the network's logits are not the mean of its map, so that quarters could "
            "not be compared with the whole. Choose the head class_map with pool avg, or attention."
        )


def quarters(pixels: Tensor) -> Tensor:
    """`[item, channel, y, x]` in four: all upper left ones, then upper right, lower left, right."""
    height, width = pixels.shape[2] // 2, pixels.shape[3] // 2
    rows = (pixels[:, :, :height], pixels[:, :, height:])
    return torch.cat([half for row in rows for half in (row[..., :width], row[..., width:])])


def stitch(maps: Tensor) -> Tensor:
    """Undo `quarters`."""
    upper_left, upper_right, lower_left, lower_right = maps.chunk(4)
    upper = torch.cat([upper_left, upper_right], dim=3)
    return torch.cat([upper, torch.cat([lower_left, lower_right], dim=3)], dim=2)


def _level(class_map: Tensor, level: str) -> Tensor:
    if level == "feature":
        return class_map
    positive = class_map.relu()
    return positive / (positive.amax((2, 3), keepdim=True) + _LEAST)
