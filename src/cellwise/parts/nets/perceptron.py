"""A perceptron with one hidden layer on vectors, where a linear layer is not enough.

Normalised within each item, never over the batch: what a cell is given does not depend on the cells
it travels with.

Source: layer normalisation of Ba, Kiros and Hinton 2016 (arXiv 1607.06450); GELU of Hendrycks and
Gimpel 2016 (arXiv 1606.08415).
"""

from torch import Tensor, nn

from cellwise.contracts.network import Asked, MakeNet, Output
from cellwise.errors import BadOption
from cellwise.parts.nets._vectors import VectorNet, check_drop

NEEDS = ("vectors",)


def build(hidden: int = 128, drop: float = 0.2) -> MakeNet:
    """Make the network.

    Args:
        hidden: Numbers in the hidden layer.
        drop: Share in 0..1 of them that are dropped while training.
    """
    check_drop("perceptron", drop)
    if hidden < 1:
        raise BadOption(f"net perceptron: hidden is at least 1, not {hidden}.")

    def make(numbers: int, classes: int) -> nn.Module:
        return _Perceptron(numbers, classes, hidden=hidden, drop=drop)

    return make


class _Perceptron(VectorNet):
    def __init__(self, numbers: int, classes: int, *, hidden: int, drop: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(numbers, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Dropout(drop)
        )
        self.score = nn.Linear(hidden, classes)

    def extract_features(self, vectors: Tensor) -> Tensor:
        """The hidden layer, `[item, hidden]`."""
        found: Tensor = self.features(vectors)
        return found

    def answer(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """What the features say."""
        return self.answered(features, asked, self.score)
