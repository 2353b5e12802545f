"""A small network for processors without a GPU: four 3 x 3 convolutions, some 75,000 weights.

Normalised by groups of channels and not over the batch, unless so told: what a cell is given does
not depend on the cells it travels with. Over the batch, where batches are of one plate, its light
and staining are taken away.

Source: group normalisation of Wu and He 2018 (arXiv 1803.08494); the class map head of the HPA 2021
system of Riedel (a 1 x 1 convolution, then pooling).
"""

from torch import Tensor, nn

from cellwise.contracts.network import (
    Asked,
    MakeNet,
    Output,
    answer_by_map,
    check_pool,
    joined_features,
)
from cellwise.errors import BadOption

_GROUPS = 4
_NORMS = ("group", "batch")


def build(width: int = 24, pool: str = "avg", norm: str = "group") -> MakeNet:
    """Make the network; its map is 8 times coarser than the pixels.

    Args:
        width: Channels after the first layer, a multiple of 4; the last layers have 8/3 of it.
        pool: `avg`, `max` or `avg+max`.
        norm: `group`, or `batch`: over the batch while it learns, by what it has seen afterwards.
    """
    if norm not in _NORMS:
        raise BadOption(f"net tiny: norm is one of {', '.join(_NORMS)}, not {norm!r}.")
    check_pool(pool)
    if width < _GROUPS or width % _GROUPS:
        raise BadOption(f"net tiny: width is a multiple of {_GROUPS}, not {width}.")

    def make(channels: int, classes: int, covariates: int = 0) -> nn.Module:
        return _Tiny(channels, classes, width=width, pool=pool, norm=norm, covariates=covariates)

    return make


class _Tiny(nn.Module):
    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        width: int,
        pool: str,
        norm: str = "group",
        covariates: int = 0,
    ) -> None:
        super().__init__()
        top = 8 * width // 3 // _GROUPS * _GROUPS
        layers: list[nn.Module] = []
        before = channels
        for after, stride in ((width, 2), (2 * width, 2), (top, 2), (top, 1)):
            layers += [
                nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(after) if norm == "batch" else nn.GroupNorm(_GROUPS, after),
                nn.ReLU(),
            ]
            before = after
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(top + covariates, classes, 1)
        self.pool = pool

    def forward(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        return self.answer(joined_features(self.extract_features(pixels), covariates), asked)

    def extract_features(self, pixels: Tensor) -> Tensor:
        """Features `[item, feature, y, x]`."""
        found: Tensor = self.features(pixels)
        return found

    def answer(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """What the features say."""
        return answer_by_map(features, asked, score=self.head, pool=self.pool)
