"""Fields without a label are clean, fields with it are mixed: a risk that is never negative.

Cells of fields without class k do not show it; of those of fields with it a share `prior` does.
With l+ and l- the cross-entropies of yes and no, the risk of class k in a batch is

    (1 + h) E_without[l-] + max(0, m E_with[l+] - h E_without[l+]),   h = (1 - prior) m

with m cells of fields with the label to one of a field without: what the former say of yes, less
what those among them that do not show the class would say. Where the bracket is below 0 the batch
is told apart better than it can be, and it adds no gradient.

Source: Kiryo et al. 2017 (NIPS 30), non-negative positive-unlabelled learning, with the roles of
positives and negatives exchanged; unbiased risk of du Plessis et al. 2014.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption


def build(prior: float = 0.5) -> Loss:
    """Make the loss; one number per label, to be averaged over the batch.

    Args:
        prior: Share of the cells of labelled fields that show the label, above 0, at most 1; with 1
            it is binary cross-entropy.
    """
    if not 0 < prior <= 1:
        raise BadOption(f"loss clean_negatives: prior lies above 0 and at most at 1, not {prior}.")

    def clean_negatives(logits: Tensor, targets: Tensor) -> Tensor:
        mixed = (targets > 0).to(logits)
        clean = 1 - mixed
        yes, no = softplus(-logits), softplus(logits)
        # Without a clean item in the batch nothing is known of those that do not show the class.
        count = clean.sum(0)
        ratio = torch.where(count > 0, mixed.sum(0) / count.clamp(min=1), 0)
        hidden = (1 - prior) * ratio
        bracket = (mixed * yes).sum(0) - hidden * (clean * yes).sum(0)
        open_ = (bracket.detach() >= 0).to(logits)
        return open_ * (mixed * yes - hidden * clean * yes) + (1 + hidden) * clean * no

    return clean_negatives
