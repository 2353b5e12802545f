"""Any convolutional backbone that timm knows by name, with a class map head.

Weights start random unless pretrained ones are asked for; those are fetched by timm and need the
network once.

Source: timm (Wightman, Apache-2.0); class map head as in the HPA 2021 system of Riedel.
"""

from typing import Any

from torch import Tensor, nn

from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets._output import MakeNet, Output, check_pool, pool_map
from cellwise.registry import did_you_mean


def build(
    model: str = "resnet18", *, pretrained: bool = False, pool: str = "avg", drop: float = 0.0
) -> MakeNet:
    """Make the network.

    Args:
        model: A timm name such as `resnet18` or `densenet121`.
        pretrained: Start from published weights, whose first layer timm widens to our channels.
        pool: `avg`, `max` or `avg+max`.
        drop: Share of features dropped before the head while training, 0..1.
    """
    check_pool(pool)
    if not 0 <= drop < 1:
        raise BadOption(f"net backbone: drop lies in 0..1, not {drop}.")

    def make(channels: int, classes: int) -> nn.Module:
        trunk = _trunk(model, channels, pretrained=pretrained)
        return _Backbone(trunk, classes, pool=pool, drop=drop)

    return make


class _Backbone(nn.Module):
    def __init__(self, trunk: Any, classes: int, *, pool: str, drop: float) -> None:
        super().__init__()
        self.trunk = trunk
        self.drop = nn.Dropout2d(drop)
        self.head = nn.Conv2d(trunk.num_features, classes, 1)
        self.pool = pool

    def forward(self, pixels: Tensor) -> Output:
        features = self.trunk.forward_features(pixels)
        class_map = self.head(self.drop(features))
        return Output(pool_map(class_map, self.pool), class_map)


def _trunk(model: str, channels: int, *, pretrained: bool) -> Any:
    import timm

    if not timm.is_model(model):
        known = timm.list_models()
        raise BadOption(f"timm knows no model {model!r}.{did_you_mean(model, known)}")
    options: dict[str, Any] = {"in_chans": channels, "num_classes": 0, "global_pool": ""}
    try:
        trunk = timm.create_model(model, pretrained=pretrained, **options)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise PreflightError(
            f"The published weights of {model!r} could not be fetched: {error} "
            "Connect once to fill timm's cache, or leave out 'pretrained'."
        ) from error
    if not _gives_a_map(trunk):
        raise BadOption(
            f"{model!r} gives no feature map [item, feature, y, x]; choose a convolutional model."
        )
    return trunk


def _gives_a_map(trunk: Any) -> bool:
    # Transformers cut the picture into patches and give tokens, or put the features last.
    return not hasattr(trunk, "patch_embed")
