"""Gated attention for each class: where to look for it, and what is seen there.

`a_c = softmax over places of w_c (tanh(V h) * sigmoid(U h))`, `logit_c = sum a_c * score_c`. The
class map is the score of every place, weighted by how much more than evenly it is looked at, so
that its mean is the logit.

Source: Ilse, Tomczak and Welling 2018 (arXiv 1802.04712), eq. 9, with one attention per class.
"""

from torch import Tensor, nn

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption
from cellwise.parts.heads._head import MakeHead, check_drop


def build(hidden: int = 128, drop: float = 0.0) -> MakeHead:
    """Make the head.

    Args:
        hidden: Width of the gate, 1 or more.
        drop: Share of features dropped, as whole maps, while training; 0..1.
    """
    check_drop("attention", drop)
    if hidden < 1:
        raise BadOption(f"head attention: hidden is at least 1, not {hidden}.")

    def make(features: int, classes: int) -> nn.Module:
        return _Attention(features, classes, hidden=hidden, drop=drop)

    return make


class _Attention(nn.Module):
    def __init__(self, features: int, classes: int, *, hidden: int, drop: float) -> None:
        super().__init__()
        self.drop = nn.Dropout2d(drop)
        self.content = nn.Conv2d(features, hidden, 1)
        self.gate = nn.Conv2d(features, hidden, 1)
        self.look = nn.Conv2d(hidden, classes, 1)
        self.score = nn.Conv2d(features, classes, 1)

    def forward(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        embedding = features.mean(dim=(2, 3)) if Asked.EMBEDDING in asked else None
        if not asked & (Asked.LOGITS | Asked.CLASS_MAP):
            return Output(embedding=embedding)
        kept = self.drop(features)
        looks = self.look(self.content(kept).tanh() * self.gate(kept).sigmoid())
        shares = looks.flatten(2).softmax(dim=2).view_as(looks)
        # Every class looks at places of its own: there are no logits without the map.
        class_map = self.score(kept) * shares * (looks.shape[2] * looks.shape[3])
        logits = class_map.mean(dim=(2, 3)) if Asked.LOGITS in asked else None
        return Output(logits, class_map if Asked.CLASS_MAP in asked else None, embedding)
