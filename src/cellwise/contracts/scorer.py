"""What a scorer is given and gives, and a loaded model as scorers see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from cellwise.contracts.network import Asked, Output

_NOTHING = torch.empty(0)

# [view, cell, class] logits; a scorer of fields gives one row in place of the cells.
Views = Tensor


@dataclass(frozen=True, slots=True)
class SitePixels:
    """One site, in the channels of the model that is asked.

    Args:
        crops: `[cell, channel, y, x]` in 0..1; empty for scorers of fields.
        field: `[channel, y, x]` in 0..1 at the size the model was trained at; empty for crops.
        masks: int64 `[y, x]`, cell numbers at the field's own size; empty for crops.
        numbers: int64 `[cell]`, the cell numbers wanted, rising.
        vectors: `[cell, number]`, embeddings; empty for scorers of pixels.
        tile: Side in pixels of the tiles that the model learned; 0 where it learned none.
        covariates: `[covariate]`, what the model is told of the site beside its pixels; empty for
            models that are told nothing.
    """

    crops: Tensor
    field: Tensor
    masks: Tensor
    numbers: Tensor
    vectors: Tensor = _NOTHING
    tile: int = 0
    covariates: Tensor = _NOTHING

    @property
    def told(self) -> Tensor | None:
        """The covariates, None where there are none."""
        return self.covariates if len(self.covariates) else None


class Predictor(Protocol):
    """A network that was loaded, with its normalisation."""

    def __call__(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        """Answer for `[item, channel, y, x]` in 0..1, in ordinary memory, single precision.

        Vectors `[item, number]` for networks of vectors. `covariates` are `[covariate]` of all
        items or `[item, covariate]`, for networks that know of some.
        """

    def extract_features(self, pixels: Tensor) -> Tensor:
        """Features of `[item, channel, y, x]`, where the network lies."""

    def answer(self, features: Tensor) -> Tensor:
        """Logits `[item, class]` of features, in ordinary memory."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """One way to score: `unit` is what its models were trained on, `gives` what gets a score.

    `class_map` shows where in the field each class was seen, `[class, y, x]`, if that can be told.
    `items` is what the network is shown: `pixels`, `vectors` of an embed step, or `tiles` of whole
    sites, for which no cells are needed.
    """

    unit: Literal["cell", "site"]
    score: Callable[[Predictor, SitePixels], Views]
    gives: Literal["cell", "site"] = "cell"
    class_map: Callable[[Predictor, SitePixels], Tensor] | None = None
    items: Literal["pixels", "vectors", "tiles"] = "pixels"
