"""Mean and peak of every feature, normalised and dropped out, through an embedding to the classes.

`concat(mean, max) -> BN -> dropout -> linear (the embedding) -> ReLU -> BN -> dropout -> linear`.
The class map is the same head asked at every place by itself, where mean and peak are the place's
own value: it says where a class would be seen, and its mean is not the logit.

Source: the 2018 winners of the HPA challenge, and the HPA 2021 system "Raman", whose cell
embeddings are this layer of 1,024.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from cellwise.contracts.network import Asked, Output
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

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        logits = class_map = embedding = None
        if asked & (Asked.LOGITS | Asked.EMBEDDING):
            mean, peak = features.mean(dim=(2, 3)), features.amax(dim=(2, 3))
            embedding = self.embed(torch.cat([mean, peak], dim=1))
        if Asked.LOGITS in asked:
            logits = self.score(embedding)
        if Asked.CLASS_MAP in asked:
            class_map = self._map(features)
        return Output(logits, class_map, embedding if Asked.EMBEDDING in asked else None)

    @torch.no_grad()
    def _map(self, features: Tensor) -> Tensor:
        items, _, height, width = features.shape
        places = features.permute(0, 2, 3, 1).reshape(items * height * width, -1)
        scores = torch.cat([places, places], dim=1)
        for layer in (*self.embed, *self.score):
            scores = _at_rest(layer, scores)
        return scores.view(items, height, width, -1).permute(0, 3, 1, 2)


def _at_rest(layer: nn.Module, values: Tensor) -> Tensor:
    """What a layer gives when it does not train: places are no items and move no statistics."""
    if isinstance(layer, nn.Dropout):
        return values
    if isinstance(layer, nn.BatchNorm1d):
        known = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        return batch_norm(values, *known, training=False, eps=layer.eps)
    result: Tensor = layer(values)
    return result
