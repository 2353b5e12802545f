"""The type of a loss."""

from collections.abc import Callable

from torch import Tensor

# (logits, targets in 0..1), both [item, class] -> one number per label [item, class]; or, where the
# classes compete and an item has one answer, one per item [item]. Not yet added up.
Loss = Callable[[Tensor, Tensor], Tensor]
