"""The type of a loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from cellwise.errors import BadOption

# (logits, targets in 0..1), both [item, class] -> one number per label [item, class]; or, where the
# classes compete and an item has one answer, one per item [item]. Not yet added up.
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class ForGroups:
    """A loss that is finished once the groups of classes are known that plates carry.

    Args:
        name: What messages call it.
        bind: `[class]` numbers of groups, -1 for classes of none, to the loss.
    """

    name: str
    bind: Callable[[Sequence[int]], Loss]


@dataclass(frozen=True, slots=True)
class ForTwoHeads:
    """A loss of the logits that answer and one of the cosines of a second head.

    Args:
        first: Of the logits.
        second: Of the cosines.
        weights: What each counts.
    """

    first: Loss | ForGroups
    second: Loss | ForGroups
    weights: tuple[float, float]


def bound_loss(loss: Loss | ForGroups, groups: Sequence[int]) -> Loss:
    """Any loss as one of logits and targets.

    Raises:
        BadOption: It needs groups and none are known.
    """
    if not isinstance(loss, ForGroups):
        return loss
    if not groups:
        raise BadOption(
            f"loss {loss.name}: the plates of this run do not carry a few fixed groups of "
            "treatments. Take the loss softmax."
        )
    return loss.bind(groups)
