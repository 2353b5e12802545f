"""Each cell's embedding through a head that was trained on embeddings.

Source: linear probes (Alain and Bengio 2016, arXiv 1610.01644).
"""

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.errors import BadOption

NEEDS = ("vectors",)


def build(batch: int = 4096) -> Scorer:
    """Make the scorer.

    Args:
        batch: Vectors at a time; of no influence on the result beyond rounding.
    """
    if batch < 1:
        raise BadOption(f"score vector_net: batch is at least 1, not {batch}.")

    def vector_net(predictor: Predictor, pixels: SitePixels) -> Views:
        some = torch.split(pixels.vectors, batch)
        return torch.cat([predictor(vectors).logits for vectors in some])[None]

    return Scorer("cell", vector_net, items="vectors")
