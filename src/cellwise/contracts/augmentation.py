"""Changes that must know what a channel shows, and may change the label with the image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from cellwise.domain.channels import Channel
from cellwise.errors import BadOption

# (batch [item, channel, y, x], one generator per item) -> batch of the same shape.
Augment = Callable[[Tensor, Sequence[np.random.Generator]], Tensor]
# (batch [item, channel, y, x], targets [item, class], one generator per item) -> both, changed.
Change = Callable[[Tensor, Tensor, Sequence[np.random.Generator]], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Panel:
    """What the network reads and says, in order; `classes` are the positive ones.

    `fold` is the one whose fields this model does not see, None for a model of all.
    """

    channels: tuple[Channel, ...]
    classes: tuple[str, ...]
    fold: int | None = None

    def channel(self, role: str) -> int | None:
        """Position of the channel with this role or name."""
        for place, channel in enumerate(self.channels):
            if role in (channel.role, channel.name):
                return place
        return None

    def need_channel(self, part: str, role: str) -> int:
        """The same; refused where there is none."""
        place = self.channel(role)
        if place is None:
            names = ", ".join(channel.name for channel in self.channels)
            raise BadOption(
                f"augment {part}: no channel {role!r} is learned from (there is {names})."
            )
        return place


@dataclass(frozen=True, slots=True)
class ForPanel:
    """An augmentation that is finished once the panel is known.

    Args:
        bind: Gives the change, or refuses the panel with `BadOption`.
        relabels: Whether targets change as well; such a change means nothing to bags, whose label
            is
            that of the field.
    """

    bind: Callable[[Panel], Change]
    relabels: bool = False


def bound(augment: Augment | ForPanel, panel: Panel) -> Change:
    """Any augmentation as a change of pixels and targets."""
    if isinstance(augment, ForPanel):
        return augment.bind(panel)

    def change(
        batch: Tensor, targets: Tensor, rngs: Sequence[np.random.Generator]
    ) -> tuple[Tensor, Tensor]:
        return augment(batch, rngs), targets

    return change
