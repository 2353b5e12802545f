"""A linear layer on vectors: the usual probe of an embedding.

Source: linear probes of Alain and Bengio 2016 (arXiv 1610.01644), as foundation models are judged.
"""

from torch import Tensor, nn

from cellwise.contracts.network import Asked, MakeNet, Output
from cellwise.parts.nets._vectors import VectorNet, check_drop

NEEDS = ("vectors",)


def build(drop: float = 0.0) -> MakeNet:
    """Make the network.

    Args:
        drop: Share in 0..1 of the numbers of a vector that are dropped while training.
    """
    check_drop("linear", drop)

    def make(numbers: int, classes: int) -> nn.Module:
        return _Linear(numbers, classes, drop=drop)

    return make


class _Linear(VectorNet):
    def __init__(self, numbers: int, classes: int, *, drop: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(drop)
        self.score = nn.Linear(numbers, classes)

    def extract_features(self, vectors: Tensor) -> Tensor:
        """The vectors `[item, number]` themselves."""
        dropped: Tensor = self.drop(vectors)
        return dropped

    def answer(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """What the features say."""
        return self.answered(features, asked, self.score)
