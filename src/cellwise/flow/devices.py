"""Which device a run works on: what was asked for, what is here, and what was begun with."""

from collections.abc import Iterable, Mapping
from typing import Any

from cellwise.errors import UsageError
from cellwise.flow.recipe.resolve import Step
from cellwise.parts.devices import count_gpus, has_gpu, has_mps
from cellwise.registry import split_spec

DEVICES = ("auto", "cpu", "cuda", "mps")


def devices_of(
    device: str,
    earlier: Mapping[str, Any],
    steps: Iterable[Step] = (),
    *,
    engine: str | dict[str, Any] = "local",
) -> tuple[str, str]:
    """The device to work on, and the one that keys name.

    A run that began on another machine keeps what it has done there: its results differ in their
    last digits only. Who names a device gets that one.

    Args:
        device: The word of the user.
        earlier: The record of the run before, empty for a new folder.
        steps: The steps that are done.
        engine: What per-site steps are worked on by: its workers may have GPUs where this machine
            has none, and that suffices where no other step uses one.

    Raises:
        UsageError: An unknown device, or `cuda` where there is none.
    """
    before = str(earlier.get("keyed_device") or earlier.get("device") or "")
    if device == "auto" and before == "cpu":
        return "cpu", "cpu"
    elsewhere = split_spec(engine)[0] != "local" and device == "cuda"
    if elsewhere and all(step.spec.grain == "site" or not step.spec.device for step in steps):
        return "cuda", "cuda"
    picked = pick_device(device)
    return picked, before if device == "auto" and before else picked


def check_devices(devices: int, device: str) -> None:
    """Refuse more devices than there are; processes on the processor may be any number.

    Raises:
        UsageError: Says how many there are.
    """
    if devices < 1:
        raise UsageError(f"--devices is at least 1, not {devices}.")
    if device == "mps" and devices > 1:
        raise UsageError(f"--devices {devices}: a Mac has one graphics processor (--device mps).")
    there = devices if device == "cpu" or devices == 1 else count_gpus()
    if devices > there:
        raise UsageError(f"--devices {devices}: torch sees {there} GPUs here.")


def pick_device(device: str) -> str:
    """`cpu`, `cuda` or `mps`; `auto` takes the GPU where torch sees one.

    `mps`, the graphics processor of a Mac, is taken only by name: it has not been tried yet.

    Raises:
        UsageError: An unknown device, or `cuda` or `mps` where there is none.
    """
    if device not in DEVICES:
        raise UsageError(f"--device is one of {', '.join(DEVICES)}, not {device!r}.")
    if device == "cpu":
        return device
    if device == "mps":
        if not has_mps():
            raise UsageError("--device mps: torch has no Metal here; give --device cpu.")
        return device
    present = has_gpu()
    if device == "cuda" and not present:
        raise UsageError("--device cuda: torch sees no GPU here (`cellwise doctor` tells more).")
    return "cuda" if present else "cpu"
