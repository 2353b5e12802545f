"""An embedding and the cosine of its angle to one direction per class, scaled.

`mean over places -> linear (the embedding) -> batch norm -> scaled cosines`. With the loss
`arcface` a margin is added while training; with `softmax` it is NormFace.

Source: Deng et al. 2019 (arXiv 1801.07698); 512 numbers and scale 32 in the RxRx1 system of Lin &
Lin.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption
from cellwise.parts.heads._head import MakeHead


def build(size: int = 512, scale: float = 32.0) -> MakeHead:
    """Make the head.

    Args:
        size: Numbers in the embedding, 1 or more.
        scale: Logit of a perfect match, above 0; that of the loss `arcface`.
    """
    if size < 1 or not scale > 0:
        raise BadOption(
            f"head arcface: size is at least 1 and scale above 0; they are {size} and {scale}."
        )

    def make(features: int, classes: int) -> nn.Module:
        return _ArcFace(features, classes, size=size, scale=scale)

    return make


class _ArcFace(nn.Module):
    def __init__(self, features: int, classes: int, *, size: int, scale: float) -> None:
        super().__init__()
        self.embed = nn.Linear(features, size, bias=False)
        self.norm = nn.BatchNorm1d(size)
        self.direction = nn.Parameter(torch.empty(classes, size))
        nn.init.xavier_uniform_(self.direction)
        self.scale = scale

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        class_map = self._map(features) if Asked.CLASS_MAP in asked else None
        if not asked & (Asked.LOGITS | Asked.EMBEDDING):
            return Output(None, class_map, None)
        embedding = self.norm(self.embed(features.mean(dim=(2, 3))))
        logits = self.scale * normalize(embedding) @ normalize(self.direction).T
        wanted = (Asked.LOGITS in asked, Asked.EMBEDDING in asked)
        return Output(logits if wanted[0] else None, class_map, embedding if wanted[1] else None)

    @torch.no_grad()
    def _map(self, features: Tensor) -> Tensor:
        """The same asked of every place by itself, with the statistics of whole images."""
        items, _, height, width = features.shape
        places = self.embed(features.permute(0, 2, 3, 1).reshape(items * height * width, -1))
        known = (self.norm.running_mean, self.norm.running_var, self.norm.weight, self.norm.bias)
        places = nn.functional.batch_norm(places, *known, training=False, eps=self.norm.eps)
        scores = self.scale * normalize(places) @ normalize(self.direction).T
        return scores.view(items, height, width, -1).permute(0, 3, 1, 2)
