"""The result of a benchmark: both tables, costs, what each row changes, and how it was made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cellwise.lab.benchmark.cells import TABLES, known_cells, numbered, said_of, with_field_label
from cellwise.lab.benchmark.compare import Line, Sighting, compare
from cellwise.lab.benchmark.crew import costs_path
from cellwise.lab.benchmark.meter import Cost, read_costs
from cellwise.lab.benchmark.page.describe import changes
from cellwise.lab.benchmark.plan import Draw, Plan, Task
from cellwise.lab.benchmark.rows import Row, World
from cellwise.lab.benchmark.wells import WellLine, compare_wells


@dataclass(frozen=True, slots=True)
class Result:
    """What the outputs are written from.

    Args:
        plan: Worlds, rows and seeds.
        lines: Both tables of cells, `new` first; none where wells are judged.
        costs: By world and row: seconds of its learning steps (mean over runs, steps that rows
            share counted in each) and the largest memory; None where they are not known.
        changes: The rows of these worlds, each with what it changes against its A_0.
        made: Facts for the record, such as versions.
        wells: The table of wells; none where cells are judged.
    """

    plan: Plan
    lines: tuple[Line, ...]
    costs: Mapping[tuple[str, str], Cost | None]
    changes: tuple[tuple[Row, tuple[str, ...]], ...]
    made: Mapping[str, Any] = field(default_factory=dict)
    wells: tuple[WellLine, ...] = ()

    def table(self, name: str) -> list[Line]:
        """The lines of one table."""
        return [line for line in self.lines if line.table == name]


def collect(plan: Plan, out: Path, made: Mapping[str, Any]) -> Result:
    """Read all finished runs and compare them."""
    tasks = plan.tasks()
    wells = tuple(compare_wells(plan, out)) if plan.of_wells else ()
    lines = () if plan.of_wells else tuple(_lines_of_cells(plan, tasks, out))
    costs = {
        (world.name, row.name): _cost(row.name, [t for t in tasks if t.draw.world == world], out)
        for world in plan.worlds
        for row in plan.table.rows_of(world)
    }
    return Result(plan, lines, costs, _changes(plan), made, wells)


def _lines_of_cells(plan: Plan, tasks: Sequence[Task], out: Path) -> list[Line]:
    """Both tables of cells."""
    seen: dict[str, list[tuple[World, list[Sighting]]]] = {name: [] for name in TABLES}
    for world in plan.worlds:
        found = _sightings(plan, world, [t for t in tasks if t.draw.world == world], out)
        for name in TABLES:
            if found[name]:
                seen[name].append((world, found[name]))
    return [line for name in TABLES for line in compare(plan.table, name, seen[name])]


def _sightings(
    plan: Plan, world: World, tasks: Sequence[Task], out: Path
) -> dict[str, list[Sighting]]:
    """By table, the drawn worlds with what every row and seed says of their cells."""
    found: dict[str, list[Sighting]] = {name: [] for name in TABLES}
    for draw in plan.draws(world):
        own = [task for task in tasks if task.draw == draw]
        for name, known in known_cells(draw.folder(out), own[0], out).items():
            by_row: dict[str, list[Any]] = {}
            for task in own:
                for row, said in said_of(known, task, out).items():
                    given = plan.table.row(world.name, row).field_label
                    by_row.setdefault(row, []).append(
                        with_field_label(said, known) if given else said
                    )
            rows = {row: tuple(one.scores for one in said) for row, said in by_row.items()}
            maps = {row: tuple(one.mask_map for one in said) for row, said in by_row.items()}
            found[name].append(Sighting(known, rows, maps))
    if world.groups == "shared":
        for name, some in found.items():
            same = numbered([one.known for one in some])
            found[name] = [replace(one, known=k) for k, one in zip(same, some, strict=True)]
    return found


def _cost(row: str, tasks: list[Task], out: Path) -> Cost | None:
    """Mean seconds and largest memory of the row's learning steps over the runs."""
    found = []
    for task in tasks:
        strand = next((s for s in task.merged.strands if s.row == row), None)
        if strand is None:
            continue
        known = read_costs(costs_path(task, out))
        if not set(strand.steps) <= set(known):
            return None
        steps = [known[step] for step in strand.steps]
        found.append(Cost(sum(s.seconds for s in steps), max(s.peak_mb for s in steps)))
    if not found:
        return None
    seconds = sum(cost.seconds for cost in found) / len(found)
    return Cost(seconds, max(cost.peak_mb for cost in found))


def _changes(plan: Plan) -> tuple[tuple[Row, tuple[str, ...]], ...]:
    """Each row, and what it changes in the first world that has it."""
    found = []
    for row in plan.table.rows:
        world = next((w for w in plan.worlds if row in plan.table.rows_of(w)), None)
        if world is None:
            continue
        recipes = plan.recipes[world.name]
        floor = row.floor or plan.table.floor
        words = changes(recipes[row.name], recipes[floor]) if floor in recipes else ()
        found.append((row, words))
    return tuple(found)


def first_task(plan: Plan, world: World) -> tuple[Draw, list[Task]]:
    """The first drawn world of a setting and its runs under the first seed, for images."""
    draw = plan.draws(world)[0]
    seed = plan.seeds_of(draw)[0]
    return draw, [task for task in plan.tasks() if task.draw == draw and task.seed == seed]
