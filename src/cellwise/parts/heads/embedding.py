"""Mean and peak of every feature, normalised and dropped out, through an embedding to the classes.

`concat(mean, max) -> BN -> dropout -> linear (the embedding) -> ReLU -> BN -> dropout -> linear`.
The class map is the same head asked at every place by itself, where mean and peak are the place's
own value: it says where a class would be seen, and its mean is not the logit.

Source: the 2018 winners of the HPA challenge, and the HPA 2021 system "Raman", whose cell
embeddings are this layer of 1,024.
"""

import torch
from torch import Tensor, nn

from cellwise.contracts.network import Output
from cellwise.errors import BadOption
from cellwise.parts.heads._head import MakeHead, check_drop


def build(size: int = 1024, drop: float = 0.5) -> MakeHead:
    """Make the head.

    Args:
        size: Numbers in the embedding, 1 or more.
        drop: Share of features dropped before each linear layer while training; 0..1.
    """
    check_drop("embedding", drop)
    if size < 1:
        raise BadOption(f"head embedding: size is at least 1, not {size}.")

    def make(features: int, classes: int) -> nn.Module:
        return _Embedding(features, classes, size=size, drop=drop)

    return make


class _Embedding(nn.Module):
    def __init__(self, features: int, classes: int, *, size: int, drop: float) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.BatchNorm1d(2 * features), nn.Dropout(drop), nn.Linear(2 * features, size)
        )
        self.score = nn.Sequential(
            nn.ReLU(), nn.BatchNorm1d(size), nn.Dropout(drop), nn.Linear(size, classes)
        )

    def forward(self, features: Tensor) -> Output:
        mean, peak = features.mean(dim=(2, 3)), features.amax(dim=(2, 3))
        logits = self.score(self.embed(torch.cat([mean, peak], dim=1)))
        return Output(logits, self._map(features))

    def _map(self, features: Tensor) -> Tensor:
        # Places are no items: while training they must not move the statistics of the norms.
        items, _, height, width = features.shape
        places = features.detach().permute(0, 2, 3, 1).reshape(items * height * width, -1)
        before = self.training
        self.eval()
        with torch.no_grad():
            scores = self.score(self.embed(torch.cat([places, places], dim=1)))
        self.train(before)
        placed: Tensor = scores.view(items, height, width, -1).permute(0, 3, 1, 2)
        return placed
