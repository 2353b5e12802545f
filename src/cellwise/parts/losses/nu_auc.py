"""Ranking against fields without the label: what may show a class stands above what cannot.

A field without a class has no cell of it: its items are negative (N). Items with the label are
unlabelled (U), for some of them do not show it. For each class of the batch

    sum over pairs (u, n) of y_u (1 - y_n) l(z_u - z_n)  /  sum over pairs of y_u (1 - y_n)

with `l` the sigmoid loss, `l(d) = 1 / (1 + exp(d))`, in the symmetric form: `l(d) + l(-d) = 1`, so
that the wrong ones among U change the risk by a factor and a constant only, and the best ranking
stays the best. The asymmetric form takes the logistic loss `l(d) = log(1 + exp(-d))`, which is
convex and learns faster, and trusts U more than it deserves.

A label's number is its share of the class's risk times items / classes: the sum over classes and
mean over items is the mean over classes. Only differences of logits count, so what comes out are
ranks, to be calibrated before they are read as probabilities.

Source: the NU risk of Sakai, Niu and Sugiyama 2018 (Machine Learning 107, 767); symmetric losses
for ranking from corrupted labels, Charoenphakdee, Lee and Sugiyama 2019 (arXiv 1901.09314); used
by the 43rd of the HPA challenge of 2021.
"""

from torch import Tensor
from torch.nn.functional import softplus

from cellwise.contracts.loss import Loss


def build(*, symmetric: bool = True) -> Loss:
    """Make the loss; soft targets stand on both sides by their shares.

    Args:
        symmetric: The sigmoid loss; False for the logistic one.
    """

    def nu_auc(logits: Tensor, targets: Tensor) -> Tensor:
        ahead = logits[:, None] - logits[None]
        pairs = targets[:, None] * (1 - targets[None])
        losses = pairs * ((-ahead).sigmoid() if symmetric else softplus(-ahead))
        shares = losses / pairs.sum((0, 1)).clamp_min(1e-8)
        # Half of a pair's loss lies with each of the two.
        own = (shares.sum(1) + shares.sum(0)) / 2
        return own * (logits.shape[0] / logits.shape[1])

    return nu_auc
