"""One score per class at every place (a 1 x 1 convolution), pooled to logits.

With `avg` it is the usual linear layer after global average pooling, read before the mean is taken;
that is what a class activation map is.

Source: Zhou et al. 2016 (arXiv 1512.04150); the networks of the HPA 2021 system of Riedel.
"""

from torch import Tensor, nn

from cellwise.contracts.network import Asked, Output, answer_by_map, check_pool
from cellwise.parts.heads._head import MakeHead, check_drop


def build(pool: str = "avg", drop: float = 0.0, *, bias: bool = True) -> MakeHead:
    """Make the head.

    Args:
        pool: `avg`, `max` or `avg+max`, the mean of both.
        drop: Share of features dropped, as whole maps, while training; 0..1.
        bias: Whether each class has a level of its own; Riedel's networks have none.
    """
    check_pool(pool)
    check_drop("class_map", drop)

    def make(features: int, classes: int) -> nn.Module:
        return _ClassMap(features, classes, pool=pool, drop=drop, bias=bias)

    return make


class _ClassMap(nn.Module):
    def __init__(self, features: int, classes: int, *, pool: str, drop: float, bias: bool) -> None:
        super().__init__()
        self.drop = nn.Dropout2d(drop)
        self.score = nn.Conv2d(features, classes, 1, bias=bias)
        self.pool = pool

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        return answer_by_map(features, asked, score=self.score, pool=self.pool, drop=self.drop)
