"""Learn that an image means the same when it is seen in a harder way.

`loss(image) + weight * mean over labels of (p(harder) - p(image))^2`, the second term where the
network is sure of the image; its own answer is taken as it is, without a gradient. The weight
rises from 0, for early answers are guesses. The harder view changes what is already augmented.

Source: temporal ensembling's Pi-model (Laine and Aila 2017, arXiv 1610.02242) for the squared
difference and the rise; from weak to strong views and only where sure, FixMatch (Sohn et al. 2020,
arXiv 2001.07685), here for classes that do not exclude each other.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import ForPanel
from cellwise.contracts.loss import Loss
from cellwise.contracts.network import Asked
from cellwise.contracts.task import Forward, Task, Truth, item_loss
from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations
from cellwise.parts.batches import crops, images

SHELVES = {"harder": "cellwise.parts.augment"}


def build(
    size: int = 0,
    per_site: int = 0,
    weight: float = 1.0,
    rise: float = 0.4,
    sure: float = 0.8,
    harder: list[str | dict[str, Any]] = ["affine", "gain", "coarse_holes"],  # noqa: B006
) -> Task:
    """Make the task.

    Args:
        size: Side in pixels that whole fields are resized to; 0 learns from crops of cells.
        per_site: At most this many cells of one field in one epoch; 0 for all.
        weight: Greatest weight of the agreement, 0 or more.
        rise: Share of the training over which it rises (ramp-up), above 0 and up to 1.
        sure: Confidence threshold in 0.5..1; labels whose probability lies between `1 - sure` and
            `sure` are left out.
        harder: Augmentations of the second, strong view, in order; none that knows channels by
            their role.
    """
    if size and per_site:
        raise BadOption("task consistency: per_site counts cells; leave it out for whole fields.")
    if size and not 16 <= size <= 8192:
        raise BadOption(f"task consistency: size is 0 or 16 to 8192 pixels, not {size}.")
    if weight < 0 or not 0 < rise <= 1 or not 0.5 <= sure <= 1:
        raise BadOption(
            "task consistency: weight is not negative, rise above 0 and up to 1, sure in 0.5..1."
        )
    changes = [augmentations.build(spec) for spec in harder]
    for spec, change in zip(harder, changes, strict=True):
        if isinstance(change, ForPanel):
            raise BadOption(
                f"task consistency: {spec!r} needs to know which channel is which and works on "
                "pixels as they come; name it under `augment`."
            )

    def objective(
        forward: Forward, pixels: Tensor, truth: Truth, loss: Loss, done: float
    ) -> Tensor:
        logits = forward(pixels, Asked.LOGITS).logits
        batch_loss = item_loss(logits, truth, loss)
        share = min(done / rise, 1.0) * weight
        if share == 0:
            return batch_loss
        rngs = _generators(len(pixels))
        for change in changes:
            pixels = change(pixels, rngs)
        return batch_loss + share * disagreement(forward(pixels, Asked.LOGITS).logits, logits, sure)

    if size:
        return Task("site", size, "unused", images.build(), item_loss, objective)
    return Task("cell", None, "needed", crops.build(per_site), item_loss, objective)


def disagreement(harder: Tensor, plain: Tensor, sure: float) -> Tensor:
    """Mean squared difference of the probabilities where `plain` is sure; 0 where it never is.

    Args:
        harder: Logits `[item, class]` of the harder view.
        plain: Of the image itself; no gradient goes this way.
        sure: Probability in 0.5..1 from which, or from whose complement, it is.
    """
    wanted = plain.detach().sigmoid()
    counted = (wanted >= sure) | (wanted <= 1 - sure)
    apart = (harder.sigmoid() - wanted) ** 2
    return (apart * counted).sum() / counted.sum().clamp_min(1)


def _generators(count: int) -> list[np.random.Generator]:
    """One for each item, from torch's own state, which a training sets before every batch."""
    seeds = torch.randint(2**62, (count,)).tolist()
    return [np.random.default_rng(seed) for seed in seeds]
