"""Which numbers a network calculates with, and the surroundings that make it so.

Half the digits take half the memory traffic, and processors and cards that have units for them
multiply faster by 2 to 4. Weights, their updates and losses stay in single precision.

What `auto` becomes depends on the machine, and so do the last digits of what is learned: a recipe
that must give the same bytes everywhere says `fp32`.
"""

from contextlib import AbstractContextManager, nullcontext

from cellwise.errors import BadOption

# Torch takes seconds to import, and a recipe is checked without it.
_TYPES = {"bf16": "bfloat16", "fp16": "float16"}


def resolve(precision: str, device: str) -> str:
    """`fp32`, `bf16` or `fp16`: what `auto` stands for on this device, the others as they are.

    On a card `bf16` if it has it, else `fp16`; on a processor `bf16` where there are instructions
    for it (AVX-512 BF16 or AMX), else `fp32`, for without them it is slower. On a Mac's graphics
    processor `fp32`.

    Raises:
        BadOption: `fp16` on a processor, anything but `fp32` on a Mac's graphics processor.
    """
    if device == "mps":
        if precision not in ("auto", "fp32"):
            raise BadOption(f"precision {precision} has not been tried on mps; give fp32 or auto.")
        return "fp32"
    if precision == "fp16" and not device.startswith("cuda"):
        raise BadOption("precision fp16 is for a GPU; on a processor give bf16, auto or fp32.")
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        import torch

        # Older cards answer yes and emulate; that is slower than fp16.
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    return "bf16" if has_half_units() else "fp32"


def has_half_units() -> bool:
    """Whether this processor multiplies bf16 by itself."""
    import torch

    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in asked)


def calculating(precision: str, device: str) -> AbstractContextManager[object]:
    """Surroundings in which networks calculate so; `precision` is one that `resolve` gave."""
    if precision == "fp32":
        return nullcontext()
    import torch

    return torch.autocast(device.split(":")[0], getattr(torch, _TYPES[precision]))
