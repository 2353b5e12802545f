"""What a network gives, each only when asked: logits, an embedding, a class map, cosines."""

from collections.abc import Callable
from enum import Flag, auto

import torch
from torch import Tensor, nn

from cellwise.errors import BadOption


class Asked(Flag):
    """What is wanted of a network; several are joined by `|`."""

    LOGITS = auto()
    EMBEDDING = auto()
    CLASS_MAP = auto()
    COSINES = auto()


class Output:
    """Answer of a network: what was asked of it, and no more.

    Args:
        logits: `[item, class]`.
        class_map: `[item, class, y, x]`, coarser than the pixels; it says where in the image each
            class was seen.
        embedding: `[item, feature]`, what the logits are a simple function of.
        cosines: `[item, class]`, scaled cosines of a second head that only a loss looks at.
    """

    __slots__ = ("_class_map", "_cosines", "_embedding", "_logits")

    def __init__(
        self,
        logits: Tensor | None = None,
        class_map: Tensor | None = None,
        embedding: Tensor | None = None,
        cosines: Tensor | None = None,
    ) -> None:
        self._logits, self._class_map, self._embedding = logits, class_map, embedding
        self._cosines = cosines

    @property
    def logits(self) -> Tensor:
        """`[item, class]`."""
        return _there(self._logits, "logits")

    @property
    def class_map(self) -> Tensor:
        """`[item, class, y, x]`."""
        return _there(self._class_map, "class map")

    @property
    def embedding(self) -> Tensor:
        """`[item, feature]`."""
        return _there(self._embedding, "embedding")

    @property
    def cosines(self) -> Tensor:
        """`[item, class]`."""
        return _there(self._cosines, "cosines")

    def each(self, change: Callable[[Tensor], Tensor]) -> "Output":
        """The same with every part that is there changed."""
        parts = (self._logits, self._class_map, self._embedding, self._cosines)
        return Output(*(None if part is None else change(part) for part in parts))


def _there(part: Tensor | None, what: str) -> Tensor:
    if part is None:
        raise LookupError(f"The network was not asked for its {what}.")
    return part


# (number of channels, number of classes, covariates=0) -> module; its
# `forward(items, asked=Asked.LOGITS)` gives an `Output` in two halves: `extract_features` from
# items to features, for pixels [item, feature, y, x], and `answer(features, asked)` from features
# to the output. A module without a map of places refuses `Asked.CLASS_MAP` with `BadOption`. One
# made for so many covariates, numbers that are known of an item beside its pixels, is given them as
# a third argument of `forward`; only networks that tasks with covariates may name know of them.
MakeNet = Callable[..., nn.Module]

POOLS = ("avg", "max", "avg+max")


def joined_features(features: Tensor, covariates: Tensor | None) -> Tensor:
    """Features `[item, feature + covariate, y, x]`: each covariate is the same at every place.

    What pools places by mean or maximum so sees the covariates beside the pooled features.

    Args:
        features: `[item, feature, y, x]`.
        covariates: `[item, covariate]`; None for none.
    """
    if covariates is None:
        return features
    planes = covariates.to(features)[:, :, None, None].expand(-1, -1, *features.shape[2:])
    return torch.cat([features, planes], dim=1)


def pool_map(class_map: Tensor, how: str) -> Tensor:
    """Logits `[item, class]` from a class map; `avg+max` is the mean of both."""
    average, peak = class_map.mean(dim=(2, 3)), class_map.amax(dim=(2, 3))
    return {"avg": average, "max": peak, "avg+max": (average + peak) / 2}[how]


def answer_by_map(
    features: Tensor,
    asked: Asked,
    *,
    score: Callable[[Tensor], Tensor],
    pool: str,
    drop: Callable[[Tensor], Tensor] = lambda features: features,
) -> Output:
    """The answer of a layer that scores every place, its logits pooled over places.

    Scoring is linear, so where the mean is taken and no map is asked for, the mean feature is
    scored instead: the same numbers but for rounding, without a map over all classes.

    Args:
        features: `[item, feature, y, x]`.
        asked: What is wanted.
        score: A linear layer over the features of each place, such as a 1 x 1 convolution.
        pool: One of `POOLS`.
        drop: Drops whole maps while training.
    """
    mean = features.mean(dim=(2, 3), keepdim=True)
    embedding = mean.flatten(1) if Asked.EMBEDDING in asked else None
    if Asked.CLASS_MAP not in asked and (pool == "avg" or Asked.LOGITS not in asked):
        logits = score(drop(mean)).flatten(1) if Asked.LOGITS in asked else None
        return Output(logits, None, embedding)
    class_map = score(drop(features))
    logits = pool_map(class_map, pool) if Asked.LOGITS in asked else None
    return Output(logits, class_map if Asked.CLASS_MAP in asked else None, embedding)


def check_pool(how: str) -> None:
    """Refuse a pooling that does not exist."""
    if how not in POOLS:
        raise BadOption(f"No pooling is called {how!r}. One of: {', '.join(POOLS)}.")
