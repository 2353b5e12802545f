"""Any backbone that timm knows by name, for any number of channels, with a head of choice.

Weights start random unless pretrained ones are asked for, from timm's hub or from a file.

Source: timm (Wightman, Apache-2.0). The HPA 2021 systems used, by their names here: densenet121,
densenet169, resnet50d, resnet101d, tf_efficientnet_b0 to b7, dpn68b, mixnet_m, rexnet_150
(AllDataAreExt & Galixir), resnest101e with stride 16 and tf_efficientnet_b4 (Riedel), densenet121
with `stem_pool` and the head `embedding` ("Raman"), resnet101 (AiRLab); vit_base_patch16_384,
resnext101_32x8d and inception_v3 served for whole fields.
"""

from typing import Any

from torch import Tensor, nn

from cellwise.contracts.network import Asked, MakeNet, Output, joined_features
from cellwise.errors import BadOption
from cellwise.parts.heads import heads
from cellwise.parts.nets._hpa_2018 import trunk_of
from cellwise.parts.nets._pretrained import load_weights, open_file, open_hub
from cellwise.parts.nets._stem import check_way, pool_after_stem, use_mish, widen_first
from cellwise.registry import did_you_mean

SHELVES = {"head": "cellwise.parts.heads"}

_COLOURS = 3
_STRIDES = (0, 8, 16, 32)


def build(
    model: str = "resnet18",
    head: str | dict[str, Any] = "class_map",
    *,
    pretrained: bool | str = False,
    sha256: str = "",
    stem: str = "copy_first",
    stem_pool: bool = False,
    stride: int = 0,
    mish: bool = False,
) -> MakeNet:
    """Make the network.

    Args:
        model: A timm name such as `resnet18` or `densenet121`.
        head: What becomes of the features.
        pretrained: `true` starts from the weights timm publishes (the network is needed once); a
            path
            starts from a file of the same model (`.safetensors`, or a plain `.pth` of tensors), of
            three colours or of as many channels as ours, such as those of the HPA winners of 2018.
        sha256: What the file's hash must be; empty for any.
        stem: How pretrained first-layer weights for three colours become those of our channels:
            `copy_first`, `copy_all`, `repeat`, `mean` or `zero`.
        stem_pool: Halve the map once more after the stem, for large images.
        stride: Pixels per place of the map: 8, 16 or 32, by dilation; 0 for the model's own.
        mish: Mish in place of every ReLU and SiLU.
    """
    check_way(stem)
    make_head = heads.build(head)
    if stride not in _STRIDES:
        raise BadOption(f"net backbone: stride is one of {_STRIDES}, not {stride}.")
    if sha256 and not isinstance(pretrained, str):
        raise BadOption("net backbone: sha256 goes with a file under `pretrained`.")

    def make(channels: int, classes: int, covariates: int = 0) -> nn.Module:
        trunk = _trunk(model, channels, stride, pretrained=pretrained, sha256=sha256, stem=stem)
        if stem_pool:
            pool_after_stem(trunk)
        if mish:
            use_mish(trunk)
        return _Backbone(trunk, make_head(trunk.num_features + covariates, classes), model)

    return make


class _Backbone(nn.Module):
    def __init__(self, trunk: Any, head: nn.Module, model: str) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.model = model

    def forward(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        return self.answer(joined_features(self.extract_features(pixels), covariates), asked)

    def answer(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """What the features say."""
        found: Output = self.head(features, asked)
        return found

    def extract_features(self, pixels: Tensor) -> Tensor:
        """Features `[item, feature, y, x]`, whatever the family puts where."""
        features: Tensor = self.trunk.forward_features(pixels)
        width = self.trunk.num_features
        if features.ndim == 4 and features.shape[1] == width:
            return features
        if features.ndim == 4 and features.shape[3] == width:
            return features.permute(0, 3, 1, 2)
        if features.ndim == 3 and hasattr(self.trunk, "patch_embed"):
            down, across = self.trunk.patch_embed.patch_size
            places = features[:, getattr(self.trunk, "num_prefix_tokens", 0) :]
            grid = (pixels.shape[2] // down, pixels.shape[3] // across)
            return places.transpose(1, 2).reshape(len(features), width, *grid)
        raise BadOption(f"net backbone: {self.model!r} gives no map of features; choose another.")


def _trunk(
    model: str, channels: int, stride: int, *, pretrained: bool | str, sha256: str, stem: str
) -> Any:
    import timm

    if not timm.is_model(model):
        known = timm.list_models()
        raise BadOption(f"timm knows no model {model!r}.{did_you_mean(model, known)}")
    options: dict[str, Any] = {"num_classes": 0, "global_pool": ""}
    if "vit_" in model:
        options["dynamic_img_size"] = True
    if stride:
        options["output_stride"] = stride
    try:
        if not pretrained:
            return timm.create_model(model, in_chans=channels, **options)
        if pretrained is True:
            trunk = open_hub(model, options)
        else:
            return _from_file(model, channels, str(pretrained), sha256, stem, options)
    except (TypeError, NotImplementedError) as error:
        raise BadOption(f"net backbone: {model!r} cannot be made so: {error}.") from error
    if channels != _COLOURS:
        widen_first(trunk, channels, stem)
    return trunk


def _from_file(
    model: str, channels: int, name: str, sha256: str, stem: str, options: dict[str, Any]
) -> Any:
    """A model with the weights of a file, made for three colours or for these channels."""
    import timm

    weights = trunk_of(open_file(name, sha256))
    trunk = timm.create_model(model, **options)
    first = trunk.pretrained_cfg.get("first_conv")
    kernels = weights.get(f"{first}.weight") if isinstance(first, str) else None
    if kernels is not None and kernels.ndim == 4 and kernels.shape[1] == channels != _COLOURS:
        # Its first layer knows these channels already, in this order.
        return load_weights(timm.create_model(model, in_chans=channels, **options), weights, name)
    load_weights(trunk, weights, name)
    if channels != _COLOURS:
        widen_first(trunk, channels, stem)
    return trunk
