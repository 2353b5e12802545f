"""Networks: any channel count in; logits, embeddings or class maps out, as asked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cellwise.registry import Registry

if TYPE_CHECKING:
    from torch import nn

nets = Registry("net", __name__)

_BEGINNINGS = ("pretrained", "sha256")


def begin_classifier(net: "nn.Module", spec: Any, kind: str, classes: Sequence[str]) -> None:
    """Begin the head of a network with that of its file of weights, by class name, in place.

    Args:
        net: As built from `spec`.
        spec: The network's spec, with a file under `pretrained`.
        kind: Whose file it is: `hpa_2018`.
        classes: What the network answers.
    """
    from cellwise.parts.nets._hpa_2018 import begin_head
    from cellwise.parts.nets._pretrained import open_file

    assert kind == "hpa_2018"
    begin_head(net, open_file(str(spec["pretrained"]), str(spec.get("sha256", ""))), classes)


def is_cached(model: str) -> bool:
    """Whether the weights that timm publishes for a model lie in a cache of this machine."""
    from cellwise.parts.nets._pretrained import in_cache

    return in_cache(model)


def fetch_weights(model: str) -> None:
    """Bring the weights that timm publishes for a model to its cache.

    Raises:
        PreflightError: They could not be had.
    """
    from cellwise.parts.nets._pretrained import open_hub

    open_hub(model, {"num_classes": 0})


def without_beginning(spec: str | dict[str, Any]) -> str | dict[str, Any]:
    """The network of a trained model: its own weights replace whatever it once began with."""
    if isinstance(spec, str):
        return spec
    return {key: value for key, value in spec.items() if key not in _BEGINNINGS}


def weight_bytes(spec: str | dict[str, Any], channels: int, classes: int) -> int:
    """Bytes of a network's weights as its model file holds them; makes no weights."""
    from cellwise.parts.nets._weight_bytes import weight_bytes as count

    return count(spec, channels, classes)
