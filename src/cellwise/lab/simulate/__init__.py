"""Worlds with known truth, written in the layout of the challenge they imitate.

A world is one file here: `DEFAULTS`, the settings it uses with their values; `check(request)`,
which refuses what cannot be before anything is drawn; and `simulate(request, report)`, which fills
`request.out` (an empty folder under a temporary name) and returns counts. Requests reach it
resolved: nothing it uses is None unless `DEFAULTS` says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from cellwise.domain.steps import Report
from cellwise.errors import UnknownName, UsageError
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.registry import did_you_mean

WORLDS = ("hpa", "rxrx1", "mitocheck")


@dataclass(frozen=True, slots=True)
class World:
    """A world on disk.

    Args:
        folder: Where it lies.
        counts: What it holds, by name.
        found: It was there already, made by the same request.
    """

    folder: Path
    counts: Mapping[str, int] = field(default_factory=dict)
    found: bool = False


def simulate_world(request: SimulateRequest, report: Report) -> World:
    """Make the world that is asked for; nothing half-written is ever seen under its name.

    Raises:
        UsageError: A setting does not fit, or the folder holds something else.
        StorageError: The place cannot be written.
    """
    from cellwise.store.run.folder import read_json
    from cellwise.store.worlds.truth import write_world
    from cellwise.store.worlds.whole_folder import making_folder

    module = _world(request.world)
    whole = check_request(request)
    if _already_there(whole):
        return World(request.out, found=True)
    with making_folder(request.out) as folder:
        counts = module.simulate(replace(whole, out=folder), report)
        content = read_json(folder / "truth" / "world.json")
        write_world(folder / "truth", {**content, "request": whole.digest()})
    return World(request.out, counts)


def check_request(request: SimulateRequest) -> SimulateRequest:
    """The request with its world's defaults filled in and every setting looked at; nothing is made.

    Raises:
        UsageError: No such world, or a setting it does not use or cannot take.
    """
    module = _world(request.world)
    whole = request.resolved(module.DEFAULTS)
    module.check(whole)
    return whole


def _world(name: str) -> Any:
    if name not in WORLDS:
        raise UnknownName(
            f"--world is one of {', '.join(WORLDS)}, not {name!r}."
            f"{did_you_mean(name, list(WORLDS))}"
        )
    return import_module(f"cellwise.lab.simulate.{name}")


def _already_there(request: SimulateRequest) -> bool:
    """Whether the folder holds the very world that is asked for.

    Raises:
        UsageError: It holds anything else.
    """
    from cellwise.store.run.folder import read_json

    out = request.out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    mark = out / "truth" / "world.json"
    if mark.is_file() and read_json(mark).get("request") == request.digest():
        return True
    what = "a world of other settings" if mark.is_file() else "something else"
    raise UsageError(f"{out} holds {what}. Name a new folder, or remove it first.")
