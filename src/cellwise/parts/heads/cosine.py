"""Logits from angles alone: scaled cosine between the mean feature and one direction per class.

How strongly an image shines does not count, only which way its feature points.

Source: the heads of ArcFace (Deng et al. 2019, arXiv 1801.07698) and NormFace (Wang et al. 2017,
arXiv 1704.06369) without a margin; a level per class is added, as each class is a question of its
own.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption
from cellwise.parts.heads._head import MakeHead


def build(scale: float = 16.0) -> MakeHead:
    """Make the head.

    Args:
        scale: Logit of a perfect match before the class's own level; above 0.
    """
    if not scale > 0:
        raise BadOption(f"head cosine: scale is above 0, not {scale}.")

    def make(features: int, classes: int) -> nn.Module:
        return _Cosine(features, classes, scale=scale)

    return make


class _Cosine(nn.Module):
    def __init__(self, features: int, classes: int, *, scale: float) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.empty(classes, features))
        nn.init.normal_(self.direction)
        self.level = nn.Parameter(torch.zeros(classes))
        self.scale = scale

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        directions = normalize(self.direction)
        mean = features.mean(dim=(2, 3))
        logits = class_map = None
        if Asked.LOGITS in asked:
            logits = self.scale * normalize(mean) @ directions.T + self.level
        if Asked.CLASS_MAP in asked:
            places = torch.einsum("nfyx,cf->ncyx", normalize(features, dim=1), directions)
            class_map = self.scale * places + self.level[:, None, None]
        return Output(logits, class_map, mean if Asked.EMBEDDING in asked else None)
