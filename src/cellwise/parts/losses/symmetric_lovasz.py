"""Symmetric Lovasz hinge: each class asks for its own overlap (Jaccard index) over the batch.

The samples of a batch stand where the pixels of an image stand in the original; both the present
and the absent side are asked for, and their mean is taken. A label's number is its share of the
class's loss times items / classes, so that, as for every loss here, the sum over classes and mean
over items is the published figure.

Source: Berman, Triki and Blaschko 2018 (arXiv 1705.08790), the Lovasz hinge; made symmetric by the
winners of the HPA challenge of 2018, and so used by two of the HPA 2021 systems.
"""

import torch
from torch import Tensor

from cellwise.contracts.loss import Loss


def build(*, soft: bool = False) -> Loss:
    """Make the loss.

    Args:
        soft: Take targets as they are, as members of as large a part, which "Raman" did with soft
            labels of cells. Without it a target counts as present from 0.5 on: an overlap knows no
            half members.
    """

    def symmetric_lovasz(logits: Tensor, targets: Tensor) -> Tensor:
        present = targets.to(logits) if soft else (targets >= 0.5).to(logits)
        both = (_hinge(logits, present) + _hinge(-logits, 1 - present)) / 2
        return both * (logits.shape[0] / logits.shape[1])

    return symmetric_lovasz


def _hinge(logits: Tensor, present: Tensor) -> Tensor:
    """Each label's part of its class's Lovasz hinge, `[item, class]`; a column sums to the loss."""
    errors = 1 - logits * (2 * present - 1)
    order = errors.detach().argsort(dim=0, descending=True, stable=True)
    ranked = present.gather(0, order)
    members = ranked.sum(0, keepdim=True)
    overlap = members - ranked.cumsum(0)
    union = members + (1 - ranked).cumsum(0)
    jaccard = 1 - overlap / union
    slopes = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    placed = torch.zeros_like(slopes).scatter(0, order, slopes)
    return errors.relu() * placed
