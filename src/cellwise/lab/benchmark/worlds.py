"""The worlds of a benchmark on disk: made where they are not there yet."""

import dataclasses
import time
from pathlib import Path

from cellwise.errors import BadOption, PreflightError, UsageError
from cellwise.flow.pipeline.events import Listener
from cellwise.lab.benchmark.plan import Draw, Plan
from cellwise.lab.benchmark.rows import FOLDER
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.registry import did_you_mean

# What the benchmark itself decides.
_OURS = ("out", "world", "seed", "workers")


def world_request(draw: Draw, out: Path, *, workers: int) -> SimulateRequest:
    """What `cellwise simulate` would be asked for; the number of the draw is the seed.

    Raises:
        UsageError: An option that `simulate` does not have, or a value it cannot take.
    """
    known = [f.name for f in dataclasses.fields(SimulateRequest) if f.name not in _OURS]
    for option in draw.world.make:
        if option not in known:
            raise BadOption(
                f"World {draw.world.name!r}: make has no option {option!r}."
                f"{did_you_mean(str(option), known)} There is: {', '.join(known)}."
            )
    try:
        return SimulateRequest(
            out=draw.folder(out),
            world=draw.world.world,
            seed=draw.number,
            workers=workers,
            **draw.world.make,
        )
    except TypeError as error:
        raise BadOption(f"World {draw.world.name!r}: make {draw.world.make}: {error}.") from error


def check_worlds(plan: Plan, out: Path) -> None:
    """Refuse options of worlds that cannot be, before any work.

    Raises:
        UsageError: See `world_request`.
        PreflightError: A world that should be there already is not.
    """
    for world in plan.worlds:
        for draw in plan.draws(world)[:1]:
            if world.world != FOLDER:
                _check_request(draw, out)
            else:
                _check_folder(draw, out, needed="sites.csv" if plan.of_wells else "masks")


def _check_folder(draw: Draw, out: Path, *, needed: str) -> None:
    if not (draw.folder(out) / "truth" / needed).exists():
        raise PreflightError(
            f"World {draw.world.name!r}: {draw.folder(out)} holds no truth/{needed}. Name the "
            "folder of a world with truth."
        )


def _check_request(draw: Draw, out: Path) -> None:
    from cellwise.lab.simulate import check_request

    request = world_request(draw, out, workers=1)
    try:
        check_request(request)
    except UsageError as error:
        raise type(error)(f"World {draw.world.name!r}: {error}") from error


def make_worlds(plan: Plan, out: Path, *, workers: int, listener: Listener) -> None:
    """Simulate every world that is not there yet."""
    from cellwise.lab.simulate import simulate_world

    missing = [
        draw
        for world in plan.worlds
        for draw in plan.draws(world)
        if world.world != FOLDER and not (draw.folder(out) / "truth" / "world.json").is_file()
    ]
    for draw in missing:
        name = f"world {draw.name}"
        listener.step_started(name, total=0, unit="field", why="")

        def report(done: int, total: int, note: str) -> None:
            listener.step_advanced(done, total=total, note=note)

        started = time.monotonic()
        made = simulate_world(world_request(draw, out, workers=workers), report)
        seconds = time.monotonic() - started
        listener.step_finished(name, seconds=seconds, counts=dict(made.counts))
