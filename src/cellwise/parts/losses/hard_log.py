"""Hard log loss: cross-entropy of all present labels and of the hardest absent ones only.

For each class over the batch: of n absent and p present labels, the
`min(n, p + max(2, n // 2), int(0.7 n) + 2)` absent ones with the largest logits are kept, and the
mean is taken over what is kept. A label's number is its share of the class's loss times
items / classes, so that the sum over classes and mean over items is the published figure.

Source: the winners of the HPA challenge of 2018; used by the HPA 2021 systems AllDataAreExt &
Galixir (present above 0.6, absent up to 0.4) and "Raman" (above 0, up to 0).
"""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption


def build(present: float = 0.0, absent: float = 0.0) -> Loss:
    """Make the loss.

    Args:
        present: Targets above this are present.
        absent: Targets up to this are absent; those between the two are passed over.
    """
    if not 0 <= absent <= present < 1:
        raise BadOption(f"loss hard_log: 0 <= absent <= present < 1, not {absent} and {present}.")

    def hard_log(logits: Tensor, targets: Tensor) -> Tensor:
        yes, no = targets > present, targets <= absent
        kept = yes | hardest(logits, no, _allowed(no.sum(0), yes.sum(0)))
        values = binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return share_of_class(values, kept)

    return hard_log


def hardest(logits: Tensor, among: Tensor, count: Tensor) -> Tensor:
    """The `count[class]` largest logits of each column that are `among`, as a mask."""
    shown = logits.detach().masked_fill(~among, float("-inf"))
    rank = shown.argsort(dim=0, descending=True, stable=True).argsort(dim=0)
    return among & (rank < count)


def share_of_class(values: Tensor, kept: Tensor) -> Tensor:
    """Each kept value's share of the mean over its class, times items / classes."""
    items, classes = values.shape
    return values * kept * (items / classes) / kept.sum(0, keepdim=True).clamp_min(1)


def _allowed(absent: Tensor, present: Tensor) -> Tensor:
    beside = present + (absent // 2).clamp_min(2)
    return beside.minimum((0.7 * absent).long() + 2).minimum(absent)
