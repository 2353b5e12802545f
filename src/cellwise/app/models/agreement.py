"""Whether the layers of a pickled model do what the layers that we build do.

Equal names and shapes leave room for another activation, another normalising constant or another
way to enlarge. A whole model tells these settings; a state dict does not.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ACTIVATIONS = frozenset(
    {"ReLU", "ELU", "SELU", "CELU", "LeakyReLU", "PReLU", "ReLU6", "GELU", "SiLU", "Mish", "Tanh"}
    | {"Sigmoid", "Softplus", "Hardswish", "Swish"}
)
# Convolutions that halve the size: the first one, and those that begin stages 2 to 4.
_HALVING = re.compile(r"encoder_stages\.(0\.0|[234]\.0\.(c1x1_w_s2|c3x3_b)\.conv)")
_EPS = 1e-3


def disagreements(layers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What differs from the network `dpn_unet`, in words; empty where nothing does.

    Args:
        layers: Class name and settings of each module by its dotted name, as far as known.
    """
    found: list[str] = []
    for place, told in layers.items():
        found += [f"{place}: {what}" for what in _of_layer(place, told)]
    return found


def _of_layer(place: str, told: Mapping[str, Any]) -> Iterator[str]:
    kind = told.get("class")
    if kind in _ACTIVATIONS and kind != "ReLU":
        yield f"{kind} instead of ReLU"
    if kind == "BatchNorm2d" and told.get("eps", _EPS) != _EPS:
        yield f"eps {told['eps']} instead of {_EPS}"
    if kind == "Upsample":
        if told.get("mode", "nearest") != "nearest":
            yield f"enlarged by {told['mode']!r} instead of 'nearest'"
        if _pair(told.get("scale_factor", 2)) != (2, 2):
            yield f"enlarged {told['scale_factor']} times instead of twice"
    if kind == "Conv2d":
        stride = 2 if _HALVING.fullmatch(place) else 1
        if _pair(told.get("stride", stride)) != (stride, stride):
            yield f"stride {told['stride']} instead of {stride}"
        if _pair(told.get("dilation", 1)) != (1, 1):
            yield f"dilation {told['dilation']} instead of 1"


def _pair(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)
