"""What networks of vectors share: there are no places, so there is no class map."""

from collections.abc import Callable

from torch import Tensor, nn

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption


class VectorNet(nn.Module):
    """A network whose items are vectors `[item, number]`; files beside this one finish it."""

    def forward(self, vectors: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """What is asked of each vector.

        Raises:
            BadOption: The items are images, or a class map is asked for.
        """
        if vectors.ndim != 2:
            raise BadOption(
                "A network of vectors (linear, perceptron) cannot see pixels: learn with "
                "task: vectors, or take another net."
            )
        return self.answer(self.extract_features(vectors), asked)

    def extract_features(self, vectors: Tensor) -> Tensor:
        """Features `[item, feature]`."""
        raise NotImplementedError

    def answer(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """What the features say."""
        raise NotImplementedError

    def answered(self, features: Tensor, asked: Asked, score: Callable[[Tensor], Tensor]) -> Output:
        """Logits by `score`, and the features themselves as the embedding."""
        if Asked.CLASS_MAP in asked:
            raise BadOption("A network of vectors has no class map.")
        logits = score(features) if Asked.LOGITS in asked else None
        return Output(logits, None, features if Asked.EMBEDDING in asked else None)


def check_drop(net: str, drop: float) -> None:
    """Refuse a share that is none."""
    if not 0 <= drop < 1:
        raise BadOption(f"net {net}: drop lies in 0..1, 1 excluded, not {drop}.")
