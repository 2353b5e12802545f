"""Planes of pixels through a network that answers per pixel: loading it, views, batches, bytes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cellwise.errors import FormatError
from cellwise.parts.pixel_nets import pixel_nets
from cellwise.parts.views import VIEWS, turn, turn_back

Planes = npt.NDArray[np.float32]
Finish = Callable[[Tensor], Tensor]


def load_net(
    net: str | dict[str, Any],
    tensors: Mapping[str, npt.NDArray[Any]],
    device: str = "cpu",
    *,
    source: str = "the weights",
) -> nn.Module:
    """The network of a card with its weights, ready to answer.

    Args:
        net: Spec of a part of `pixel_nets`.
        tensors: Its weights by name.
        device: `cpu` or `cuda`.
        source: What the message calls the weights.

    Raises:
        FormatError: The weights are not those of this network; the message names what differs.
    """
    # Without memory of its own, since half a gigabyte of weights is about to take its place.
    with torch.device("meta"):
        module: nn.Module = pixel_nets.build(net)
    weights = {name: torch.from_numpy(_writable(array)) for name, array in tensors.items()}
    try:
        module.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as error:
        first = str(error).split("\n\t")[1:2] or [str(error)]
        raise FormatError(f"{source} do not fit the network they name: {first[0]}") from error
    return module.eval().requires_grad_(requires_grad=False).to(device)


def softmax(logits: Tensor) -> Tensor:
    """Logits `[item, map, y, x]` as probabilities that add up to 1 over the maps."""
    return logits.float().softmax(dim=1)


def predict(
    net: nn.Module,
    planes: Planes,
    *,
    device: str = "cpu",
    views: int = 1,
    finish: Finish = softmax,
    threads: int | None = None,
) -> Planes:
    """What the network says of each pixel.

    On the CPU items go through one by one: batches save nothing there, and so what is said of an
    item never depends on its company. On a GPU they go together, and in halves where memory runs
    out.

    Args:
        net: From `load_net`.
        planes: `[item, channel, y, x]` as the network reads them, sides as it needs them.
        device: Where the network lies.
        views: How many of the eight ways to turn and mirror the planes are averaged, after
            `finish`: 1, 2, 4 or 8.
        finish: Makes probabilities of logits `[item, map, y, x]`.
        threads: For the processor; None leaves torch's own number.

    Returns:
        `[item, map, y, x]`, float32.

    Raises:
        MemoryError: Not even one item fits into the GPU's memory.
    """
    before = torch.get_num_threads()
    try:
        if threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            size = 1 if device == "cpu" else len(planes)
            return _in_batches(net, planes, size, device=device, views=views, finish=finish)
    finally:
        torch.set_num_threads(before)


def to_bytes(probabilities: Planes) -> npt.NDArray[np.uint8]:
    """Probabilities in 0..1 as the nearest of 0..255."""
    found: npt.NDArray[np.uint8] = np.rint(probabilities * np.float32(255)).astype(np.uint8)
    return found


def _writable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array if array.flags.writeable else array.copy()


def _in_batches(
    net: nn.Module, planes: Planes, size: int, *, device: str, views: int, finish: Finish
) -> Planes:
    found: list[Planes] = []
    start = 0
    while start < len(planes):
        batch = torch.from_numpy(np.ascontiguousarray(planes[start : start + size])).to(device)
        try:
            found.append(_mean_of_views(net, batch, views, finish).cpu().numpy())
        except torch.OutOfMemoryError as error:
            if size == 1:
                raise MemoryError(
                    f"One image does not fit into the GPU's memory: {error}"
                ) from error
            size = -(-size // 2)
            continue
        start += size
    return np.concatenate(found) if found else np.zeros((0, 0, *planes.shape[2:]), np.float32)


def _mean_of_views(net: nn.Module, batch: Tensor, views: int, finish: Finish) -> Tensor:
    total: Tensor | None = None
    for view in VIEWS[:views]:
        said = turn_back(finish(net(turn(batch, view).contiguous())), view)
        total = said if total is None else total + said
    if total is None:
        raise ValueError("At least one view is looked at.")
    return total / views
