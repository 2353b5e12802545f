"""A benchmark from its rows file to its table: check, make worlds, run, compare, write."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise import __version__
from cellwise.flow.pipeline.events import Listener, Silent
from cellwise.flow.pipeline.lock import locked
from cellwise.lab.benchmark.crew import Setting, run_tasks
from cellwise.lab.benchmark.folder import check_folder, setting_of, write_setting
from cellwise.lab.benchmark.page import wells
from cellwise.lab.benchmark.page.page import as_page
from cellwise.lab.benchmark.page.write import as_csv, as_json, as_markdown
from cellwise.lab.benchmark.plan import Plan, make_plan
from cellwise.lab.benchmark.results import Result, collect
from cellwise.lab.benchmark.rows import load_table
from cellwise.lab.benchmark.worlds import check_worlds, make_worlds
from cellwise.store.atomic import write_text


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """What was asked for.

    Args:
        out: The benchmark's folder.
        rows: Name of a rows file that comes with cellwise, or a file.
        worlds: Names of worlds of that file; empty for all.
        seeds: In place of the file's; 0 for the file's.
        workers: Processes side by side.
        device: `cpu` or `cuda`.
        command: The words that started it.
    """

    out: Path
    rows: str
    worlds: tuple[str, ...] = ()
    seeds: int = 0
    workers: int = 1
    device: str = "cpu"
    command: Sequence[str] = ()


def run_benchmark(request: BenchmarkRequest, listener: Listener | None = None) -> Result:
    """Do what is left of a benchmark and write its table; the same call resumes.

    Raises:
        UsageError: A rows file, row, recipe or setting that is wrong; nothing was started.
        PreflightError: The folder belongs to another benchmark.
        Interrupted: Stopped by the user; the same call goes on.
    """
    out, told = request.out, listener or Silent()
    plan = make_plan(load_table(request.rows), worlds=request.worlds, seeds=request.seeds)
    check_worlds(plan, out)
    setting = setting_of(plan.table, device=request.device)
    check_folder(out, setting)
    with locked(out):
        write_setting(out, setting)
        try:
            make_worlds(plan, out, workers=request.workers, listener=told)
            shared = Setting(out, request.device, tuple(request.command))
            run_tasks(plan.tasks(), shared, workers=request.workers, listener=told)
        finally:
            told.ended("done")
        result = collect(plan, out, _made(plan, request))
        _write(result, out)
    return result


def _write(result: Result, out: Path) -> None:
    if result.plan.of_wells:
        write_text(out / "ladder.csv", wells.as_csv(result))
        write_text(out / "ladder.md", wells.as_markdown(result))
        write_text(out / "ladder.json", wells.as_json(result))
        write_text(out / "ladder.html", wells.as_page(result))
        return
    write_text(out / "ladder.csv", as_csv(result))
    write_text(out / "ladder.md", as_markdown(result))
    write_text(out / "ladder.json", as_json(result))
    write_text(out / "ladder.html", as_page(result, out))


def _made(plan: Plan, request: BenchmarkRequest) -> dict[str, Any]:
    return {
        "cellwise": __version__,
        "rows_file": plan.table.name,
        "command": list(request.command),
        "device": request.device,
        "workers": request.workers,
        "seeds": plan.seeds,
        "draws": plan.table.draws,
        "min_cells": plan.table.min_cells,
        "min_groups": plan.table.min_groups,
        "outlines": {world.name: world.outlines for world in plan.worlds},
        "platform": f"{platform.system()} {platform.machine()}",
        "worlds": [
            {
                "name": world.name,
                "world": world.world,
                "groups": world.groups,
                "draws": len(plan.draws(world)),
                **{k: v for k, v in world.make.items() if k != "path"},
            }
            for world in plan.worlds
        ],
    }
