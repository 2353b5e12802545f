"""What a loaded network calculates with: torch in three precisions, or OpenVINO where it is there.

Results differ in rounding only; how far they may is said where one is chosen, see `choice`.
"""

import importlib.util
from dataclasses import replace

from cellwise.errors import UsageError
from cellwise.parts.precision import has_half_units
from cellwise.parts.predictor import LoadedModel

PLAIN, HALF, CARD_HALF = "fp32", "bf16", "fp16"
OPENVINO, OPENVINO_HALF = "openvino", "openvino-bf16"
RUNTIMES = (PLAIN, HALF, CARD_HALF, OPENVINO, OPENVINO_HALF)


def has_openvino() -> bool:
    """Whether the package is installed; it is not imported."""
    return importlib.util.find_spec("openvino") is not None


def runtimes_here(device: str) -> tuple[str, ...]:
    """The runtimes that may be faster than the plain one on this machine, that one first.

    Args:
        device: `cpu`, `cuda` or `mps`.
    """
    if device == "mps":
        return (PLAIN,)
    if device.startswith("cuda"):
        from cellwise.parts.precision import resolve

        return PLAIN, resolve("auto", device)
    halves = (HALF,) if has_half_units() else ()
    others = (OPENVINO,) if has_openvino() else ()
    both = (OPENVINO_HALF,) if others and halves else ()
    return PLAIN, *halves, *others, *both


def with_runtime(model: LoadedModel, name: str, *, threads: int) -> LoadedModel:
    """The same network by another runtime.

    Args:
        model: As it was loaded.
        name: One of `RUNTIMES`.
        threads: Processor threads.

    Raises:
        UsageError: OpenVINO is not installed, or the model lies on a card.
    """
    if name in (PLAIN, HALF, CARD_HALF):
        return replace(model, precision=name)
    if not has_openvino():
        raise UsageError(
            f"score: runtime {name!r} needs a package that is not installed here: "
            "pip install 'cellwise[openvino]', or give another runtime."
        )
    if model.device != "cpu":
        raise UsageError(f"score: runtime {name!r} is for processors, and the device is a GPU.")
    from cellwise.parts.runtimes.openvino_net import OpenVinoNet

    net = OpenVinoNet(model.net, half=name == OPENVINO_HALF, threads=threads)
    return replace(model, net=net, precision=PLAIN)
