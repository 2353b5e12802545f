"""How much disk the weights of a network take, without making them."""

import json
from functools import lru_cache
from typing import Any

import torch

from cellwise.parts.nets import nets, without_beginning


def weight_bytes(spec: str | dict[str, Any], channels: int, classes: int) -> int:
    """Bytes of a network's weights and buffers as its model file holds them.

    Args:
        spec: The network as a recipe names it; its beginning counts for nothing.
        channels: Channels that it is shown.
        classes: Classes that it answers.
    """
    told = json.dumps(without_beginning(spec), sort_keys=True)
    return _weight_bytes(told, channels, classes)


@lru_cache(maxsize=64)
def _weight_bytes(told: str, channels: int, classes: int) -> int:
    make = nets.build(json.loads(told))
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                net = make(channels, classes)
        except (RuntimeError, NotImplementedError, ValueError):
            # Networks that compute something when they are made cannot do it without memory.
            net = make(channels, classes)
    kept = net.state_dict().values()
    return sum(value.numel() * value.element_size() for value in kept)
