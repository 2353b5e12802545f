"""Two heads on one embedding: a linear layer, and cosines to one direction per class.

`mean over places -> BN -> linear -> ReLU -> BN -> linear -> BN (the embedding)`, then a linear
layer whose logits are the answer, and scaled cosines that only the loss `two_heads` asks for: they
shape the embedding while it is learned.

Source: the winner of the RxRx1 challenge (Sypetkowski 2019); the cosines as in Deng et al. 2019
(arXiv 1801.07698), 512 numbers and scale 32 as in the RxRx1 system of Lin & Lin.
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
        scale: Cosines are multiplied by it, above 0; that of the loss `arcface`.
    """
    if size < 1 or not scale > 0:
        raise BadOption(
            f"head softmax_and_arcface: size is at least 1 and scale above 0; they are {size} and "
            f"{scale}."
        )

    def make(features: int, classes: int) -> nn.Module:
        return _TwoHeads(features, classes, size=size, scale=scale)

    return make


class _TwoHeads(nn.Module):
    def __init__(self, features: int, classes: int, *, size: int, scale: float) -> None:
        super().__init__()
        self.neck = nn.Sequential(
            nn.BatchNorm1d(features),
            nn.Linear(features, size, bias=False),
            nn.ReLU(),
            nn.BatchNorm1d(size),
            nn.Linear(size, size, bias=False),
            nn.BatchNorm1d(size),
        )
        self.score = nn.Linear(size, classes)
        self.direction = nn.Parameter(torch.empty(classes, size))
        nn.init.xavier_uniform_(self.direction)
        self.scale = scale

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        if Asked.CLASS_MAP in asked:
            raise BadOption(
                "head softmax_and_arcface: it has no map of classes. Take the head arcface."
            )
        embedding = self.neck(features.mean(dim=(2, 3)))
        logits = self.score(embedding) if Asked.LOGITS in asked else None
        cosines = None
        if Asked.COSINES in asked:
            cosines = self.scale * normalize(embedding) @ normalize(self.direction).T
        return Output(logits, None, embedding if Asked.EMBEDDING in asked else None, cosines)
