"""Networks: any channel count in; logits, embeddings or class maps out, as asked."""

from typing import Any

from cellwise.registry import Registry

nets = Registry("net", __name__)

_BEGINNINGS = ("pretrained", "sha256")


def without_beginning(spec: str | dict[str, Any]) -> str | dict[str, Any]:
    """The network of a trained model: its own weights replace whatever it once began with."""
    if isinstance(spec, str):
        return spec
    return {key: value for key, value in spec.items() if key not in _BEGINNINGS}
