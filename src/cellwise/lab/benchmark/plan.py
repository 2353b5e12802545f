"""What has to be run: worlds to be drawn, and for each of their seeds one merged recipe.

The outlines are the truth's in every row, so that learners are compared on the same cells, unless a
world asks for those that each recipe finds. Each training takes one thread, so that runs stand side
by side on the cores.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellwise.errors import BadOption, UsageError
from cellwise.flow.pipeline.checks import check_steps
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.load import RawRecipe, RawStep, load_recipe
from cellwise.flow.recipe.resolve import Recipe, parse_setting, resolve
from cellwise.lab.benchmark.merge import Merged, Strand, merge
from cellwise.lab.benchmark.rows import FOLDER, PER_SEED, Row, Table, World

TRUTH = "$truth"
_MASKS = f"{TRUTH}/masks"
# Beside the images of a world that has no layout of its own for labels.
_LABELS = "labels.csv"
_THREADS = ("train", "adapt", "score")


@dataclass(frozen=True, slots=True)
class Draw:
    """One world as it lies on disk: a setting and the number of its draw."""

    world: World
    number: int

    @property
    def name(self) -> str:
        """`hard-0`."""
        return f"{self.world.name}-{self.number}"

    def folder(self, out: Path) -> Path:
        """Where its images lie."""
        if self.world.world == FOLDER:
            return Path(self.world.make["path"])
        return out / "worlds" / self.name

    def images(self, out: Path) -> Path:
        """The folder to read: where a world keeps its images apart, that one."""
        apart = self.folder(out) / "images"
        return apart if apart.is_dir() else self.folder(out)


@dataclass(frozen=True, slots=True)
class Task:
    """One run: a world, a seed, and all rows whose cells and folds are the same."""

    draw: Draw
    seed: int
    merged: Merged

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return f"{self.draw.name}-{self.seed}-{self.merged.front[:8]}"

    def run(self, out: Path) -> Path:
        """The run folder."""
        return out / "runs" / self.name

    def recipe(self, out: Path) -> Recipe:
        """The merged recipe with this world's truth folder and labels file put in."""
        world = self.draw.folder(out)
        steps = []
        for step in self.merged.recipe.steps:
            options = _filled(step.options, str(world / "truth"))
            if step.kind == "read" and not options["labels"] and (world / _LABELS).is_file():
                options["labels"] = str(world / _LABELS)
            steps.append(replace(step, options=options))
        return replace(self.merged.recipe, steps=tuple(steps))


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a benchmark: the table, the worlds chosen of it, each row's recipe in each world."""

    table: Table
    worlds: tuple[World, ...]
    seeds: int
    recipes: Mapping[str, Mapping[str, Recipe]]
    merged: Mapping[str, list[Merged]]

    @property
    def of_wells(self) -> bool:
        """Whether rows are judged on wells of screens, not on cells."""
        return next(_strands(self.merged)).of_wells

    def draws(self, world: World) -> list[Draw]:
        """The worlds that are made of a setting."""
        count = self.seeds if world.per == PER_SEED else int(world.per)
        return [Draw(world, number) for number in range(world.first, world.first + count)]

    def seeds_of(self, draw: Draw) -> list[int]:
        """The seeds that learn in a world."""
        return [draw.number] if draw.world.per == PER_SEED else list(range(self.seeds))

    def tasks(self) -> list[Task]:
        """Every run, seed by seed, so that an unfinished benchmark has seen every world."""
        found = [
            Task(draw, seed, merged)
            for world in self.worlds
            for draw in self.draws(world)
            for seed in self.seeds_of(draw)
            for merged in self.merged[world.name]
        ]
        return sorted(found, key=lambda task: (task.seed, task.draw.number))


def make_plan(table: Table, *, worlds: tuple[str, ...] = (), seeds: int = 0) -> Plan:
    """Resolve every row in every world and check all names and values.

    Args:
        table: The rows file.
        worlds: Names of the worlds to take; empty for all.
        seeds: Seeds in place of the table's; 0 for the table's.

    Raises:
        UsageError: No such world, or a row whose recipe or setting is wrong; the row is named.
    """
    known = [world.name for world in table.worlds]
    for name in worlds:
        if name not in known:
            raise UsageError(f"--world {name!r}: the rows file has {', '.join(known)}.")
    chosen = tuple(world for world in table.worlds if not worlds or world.name in worlds)
    recipes = {
        world.name: {row.name: _recipe(table, world, row) for row in table.rows_of(world)}
        for world in chosen
    }
    merged = {name: merge(rows) for name, rows in recipes.items()}
    for parts in merged.values():
        for part in parts:
            check_steps(Request(Path(), Path(), part.recipe))
    _check_kinds(table, merged)
    return Plan(table, chosen, seeds or table.seeds, recipes, merged)


def _check_kinds(table: Table, merged: Mapping[str, list[Merged]]) -> None:
    """Cells and wells are not compared, and nothing is known of cells of screens that are drawn."""
    strands = list(_strands(merged))
    other = next((s for s in strands if s.of_wells != strands[0].of_wells), None)
    if other is not None:
        raise BadOption(
            f"Rows file {table.name}: rows {strands[0].row!r} and {other.row!r} decide on cells "
            "and on wells (steps decide and assign). Write two rows files."
        )
    screens = [world.name for world in table.worlds if world.world == "rxrx1"]
    if screens and not strands[0].of_wells:
        raise BadOption(
            f"Rows file {table.name}: world {screens[0]!r} is a screen, whose wells are judged. "
            "Take recipes with a step assign."
        )


def _strands(merged: Mapping[str, list[Merged]]) -> Iterator[Strand]:
    return (strand for parts in merged.values() for part in parts for strand in part.strands)


def _recipe(table: Table, world: World, row: Row) -> Recipe:
    try:
        raw = load_recipe(row.recipe)
        settings = dict(parse_setting(text) for text in (*table.set, *world.set, *row.set))
        found = resolve(raw if world.outlines == "found" else _outlined(raw), settings)
    except UsageError as error:
        raise type(error)(f"Row {row.name!r} in world {world.name!r}: {error}") from error
    single = tuple(
        replace(step, options={**step.options, "threads": 1}) if step.kind in _THREADS else step
        for step in found.steps
    )
    return replace(found, steps=single)


def _outlined(raw: RawRecipe) -> RawRecipe:
    """The recipe with the true outlines in place of its segmentation."""
    # The truth is taken as it is, whatever the noise of a field makes of it.
    given = RawStep("segment", {"name": "given", "masks": _MASKS, "implausible": "take"})
    steps = tuple(given if step.kind == "segment" else step for step in raw.steps)
    overrides = {k: v for k, v in raw.overrides.items() if not k.startswith("segment.")}
    return replace(raw, steps=steps, overrides=overrides)


def _filled(value: Any, truth: str) -> Any:
    if isinstance(value, str):
        return value.replace(TRUTH, truth)
    if isinstance(value, dict):
        return {key: _filled(inner, truth) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, truth) for inner in value]
    return value
