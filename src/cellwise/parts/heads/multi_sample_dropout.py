"""A linear layer on the mean feature, averaged over several independent dropouts.

Each step of training so sees several thinned copies of the same feature; scoring sees the whole.

Source: Inoue 2019 (arXiv 1905.09788); five copies at 0.5 in the HPA 2021 system AllDataAreExt &
Galixir.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption
from cellwise.parts.heads._head import MakeHead, check_drop


def build(copies: int = 5, drop: float = 0.5) -> MakeHead:
    """Make the head.

    Args:
        copies: Independent dropouts, 1 or more.
        drop: Share of features each drops; 0..1.
    """
    check_drop("multi_sample_dropout", drop)
    if copies < 1:
        raise BadOption(f"head multi_sample_dropout: copies is at least 1, not {copies}.")

    def make(features: int, classes: int) -> nn.Module:
        return _MultiSampleDropout(features, classes, copies=copies, drop=drop)

    return make


class _MultiSampleDropout(nn.Module):
    def __init__(self, features: int, classes: int, *, copies: int, drop: float) -> None:
        super().__init__()
        self.drops = nn.ModuleList(nn.Dropout(drop) for _ in range(copies))
        self.score = nn.Linear(features, classes)

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        mean = features.mean(dim=(2, 3))
        logits = class_map = None
        if Asked.LOGITS in asked:
            logits = torch.stack([self.score(drop(mean)) for drop in self.drops]).mean(0)
        if Asked.CLASS_MAP in asked:
            class_map = conv2d(features, self.score.weight[:, :, None, None], self.score.bias)
        return Output(logits, class_map, mean if Asked.EMBEDDING in asked else None)
