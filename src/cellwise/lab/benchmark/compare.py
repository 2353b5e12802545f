"""From finished runs to the rows of the table: accuracy, paired difference, gap closed.

New fields and labelled fields are two tables and never mixed. In each, all rows of a world see the
same bootstrap draws; Holm's correction goes over all differences of the table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cellwise.lab.benchmark.beside import Beside, figures, mean_of_seeds, of_row
from cellwise.lab.benchmark.cells import Known, counted
from cellwise.lab.benchmark.inferiority import InWorld, in_world
from cellwise.lab.benchmark.resampling import Places, Shape, as_is, gathered, resample
from cellwise.lab.benchmark.rows import Row, Table, World
from cellwise.lab.benchmark.statistics import (
    Arm,
    Estimate,
    accuracy,
    difference,
    gap,
    gap_closed,
    holm,
    over_worlds,
    p_value,
    sign,
)
from cellwise.measures.average_precision import Floats, rank

BOOTSTRAP_SEED = 20210511
TOO_SMALL = "gap too small"
NO_GAP = "no A_0 and A_1 here"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One drawn world in one table: its cells, and what each row says, once for each seed.

    Args:
        known: The cells.
        scores: By row, `[cell, class]` of each seed.
        mask_maps: By row, mAP of masks of each seed; a row may lack it.
    """

    known: Known
    scores: Mapping[str, tuple[Floats, ...]]
    mask_maps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a row in a world.

    Args:
        world: Name.
        row: Name.
        table: `new` or `labelled`.
        accuracy: Macro average precision.
        base: The row it is compared with; empty for none.
        difference: Paired, to the base.
        p: Of the difference; `holm` after Holm's correction over the table.
        holm: See `p`.
        sign: `better`, `worse`, `open`; empty without a base.
        gap: Accuracy of the ceiling minus that of the floor, over the row's classes.
        closed: Share of the gap closed; None where there is no ratio, and `why_not` says why.
        why_not: Empty where there is a ratio.
        cells: Cells, over all worlds drawn, each once.
        groups: Their groups.
        classes: Classes that count in at least one drawn world.
        apart: Classes that count in none, and why.
        over_worlds: The difference with Student's interval over worlds, one value per world;
            without bounds where all worlds hold the same plates.
        beside: Figures beside average precision.
        in_worlds: The row against its base in each drawn world where a class counts.
    """

    world: str
    row: str
    table: str
    accuracy: Estimate
    base: str
    difference: Estimate | None
    p: float
    holm: float
    sign: str
    gap: Estimate | None
    closed: Estimate | None
    why_not: str
    cells: int
    groups: int
    classes: tuple[str, ...]
    apart: Mapping[str, str]
    over_worlds: Estimate | None = None
    beside: Mapping[str, Beside] = field(default_factory=dict)
    in_worlds: tuple[InWorld, ...] = ()


def compare(
    table: Table, name: str, worlds: Sequence[tuple[World, Sequence[Sighting]]]
) -> list[Line]:
    """All lines of one table.

    Args:
        table: The rows file.
        name: `new` or `labelled`.
        worlds: Each world with its drawn worlds; those without cells in this table are left out.
    """
    lines = [line for world, seen in worlds for line in _world_lines(table, name, world, seen)]
    adjusted = holm([line.p for line in lines])
    return [
        line
        if line.difference is None
        else replace(line, holm=value, sign=sign(line.difference, value))
        for line, value in zip(lines, adjusted, strict=True)
    ]


def _world_lines(table: Table, name: str, world: World, seen: Sequence[Sighting]) -> list[Line]:
    measured = _Measured(table, world, seen)
    return [measured.line(name, row) for row in table.rows_of(world)]


class _Measured:
    """The arms of one world, each ranked and drawn once, whatever classes a row asks for."""

    def __init__(self, table: Table, world: World, seen: Sequence[Sighting]) -> None:
        shapes = [
            Shape(len(one.known.groups), len(next(iter(one.scores.values())))) for one in seen
        ]
        self._table, self._world, self._seen = table, world, seen
        self._once = as_is(shapes)
        self._many = resample(
            shapes,
            draws=table.draws,
            seed=BOOTSTRAP_SEED,
            shared_groups=world.groups == "shared",
        )
        self._apart = [
            one.known.apart(min_cells=table.min_cells, min_groups=table.min_groups) for one in seen
        ]
        self._precision: dict[str, list[tuple[Floats, Floats]]] = {}
        self._clusters = 1 if world.groups == "shared" else len(seen)
        self._figures: dict[tuple[str, tuple[str, ...]], list[dict[str, float]]] = {}

    def line(self, name: str, row: Row) -> Line:
        """The row's line; its p-value is not corrected yet."""
        arm = self._arm(row, row.name)
        base = self._best(row)
        against = None if base is None else self._arm(row, base)
        known, closed, why_not = self._gap(row, arm)
        counted_in, apart = self._classes(row)
        return Line(
            world=self._world.name,
            row=row.name,
            table=name,
            accuracy=accuracy(arm),
            base=base or "",
            difference=None if against is None else difference(arm, against),
            p=math.nan if against is None else p_value(arm.drawn - against.drawn),
            holm=math.nan,
            sign="",
            gap=known,
            closed=closed,
            why_not=why_not,
            cells=sum(len(one.known.group) for one in self._seen),
            groups=self._groups(),
            classes=counted_in,
            apart=apart,
            over_worlds=None if base is None else self._over_worlds(row, base),
            beside=of_row(
                self._beside(row, row.name),
                None if base is None else self._beside(row, base),
                clusters=self._clusters,
            ),
            in_worlds=() if base is None else self._in_worlds(row, base),
        )

    def _best(self, row: Row) -> str | None:
        """The best of the rows it is held against, by value; the rows may lack this world."""
        here = [name for name in row.against if name in self._seen[0].scores]
        return max(here, key=lambda name: self._arm(row, name).value, default=None)

    def _gap(self, row: Row, arm: Arm) -> tuple[Estimate | None, Estimate | None, str]:
        """A_1 - A_0, the share of it that the row closes, and why there is none."""
        floor, ceiling = row.floor or self._table.floor, row.ceiling or self._table.ceiling
        if not {floor, ceiling} <= set(self._seen[0].scores):
            return None, None, NO_GAP
        ends = self._arm(row, floor), self._arm(row, ceiling)
        closed = gap_closed(arm, *ends)
        return gap(*ends), closed, "" if closed else TOO_SMALL

    def _beside(self, row: Row, name: str) -> list[dict[str, float]]:
        """Of each drawn world the figures of the row `name` over the classes that `row` counts."""
        key = (name, row.classes)
        if key not in self._figures:
            self._figures[key] = [
                mean_of_seeds(
                    [figures(one.known, values, chosen) for values in one.scores[name]],
                    one.mask_maps.get(name, ()),
                )
                for one, chosen in zip(self._seen, self._chosen(row), strict=True)
            ]
        return self._figures[key]

    def _over_worlds(self, row: Row, base: str) -> Estimate:
        """The paired difference of each world, and its interval over worlds."""
        values = [
            [
                float(_mean(self._precision[name][place][0][chosen]).mean())
                for place, chosen in enumerate(self._chosen(row))
            ]
            for name in (row.name, base)
        ]
        own, other = np.array(values)
        return over_worlds(own - other, clusters=self._clusters)

    def _in_worlds(self, row: Row, base: str) -> tuple[InWorld, ...]:
        """The row against its base in each drawn world."""
        found = [
            in_world(one.known, one.scores[row.name], one.scores[base], chosen)
            for one, chosen in zip(self._seen, self._chosen(row), strict=True)
        ]
        return tuple(one for one in found if one is not None)

    def _chosen(self, row: Row) -> list[list[int]]:
        """Of each drawn world the places of the classes that `row` counts."""
        return [
            counted(one.known, apart, row.classes)
            for one, apart in zip(self._seen, self._apart, strict=True)
        ]

    def _arm(self, row: Row, name: str) -> Arm:
        """Macro average precision of the row `name` over the classes that `row` counts."""
        if name not in self._precision:
            self._precision[name] = [
                _precisions(one.known, one.scores[name], (once, many))
                for one, once, many in zip(self._seen, self._once, self._many, strict=True)
            ]
        found = self._precision[name]
        chosen = self._chosen(row)
        values = [
            gathered(
                places,
                [_mean(both[turn][c]) for both, c in zip(found, chosen, strict=True)],
                draws=draws,
            )
            for turn, places, draws in (
                (0, self._once, 1),
                (1, self._many, self._table.draws),
            )
        ]
        return Arm(float(values[0][0]), values[1])

    def _groups(self) -> int:
        """Groups that hold cells; those that all drawn worlds share count once."""
        used = [{one.known.groups[g] for g in np.unique(one.known.group)} for one in self._seen]
        return len(set().union(*used)) if self._world.groups == "shared" else sum(map(len, used))

    def _classes(self, row: Row) -> tuple[tuple[str, ...], dict[str, str]]:
        """The classes that count in some drawn world, and why the others count in none."""
        known = [one.known for one in self._seen]
        every = dict.fromkeys(name for one in known for name in (*one.classes, *one.left_out))
        names = [name for name in every if name in row.classes or not row.classes]
        apart = {
            name: self._apart[0][name]
            for name in names
            if all(name in apart for apart in self._apart)
        }
        return tuple(name for name in names if name not in apart), apart


def _precisions(
    known: Known, scores: Sequence[Floats], places: tuple[Places, Places]
) -> tuple[Floats, Floats]:
    """`[class, seed, place]` average precision, once as it is and once in all draws."""
    shape = (len(known.classes), len(scores))
    found = tuple(np.empty((*shape, len(place.draw))) for place in places)
    for c, s in np.ndindex(shape):
        ranked = rank(known.truth[:, c], scores[s][:, c], known.group, count=len(known.groups))
        for values, place in zip(found, places, strict=True):
            values[c, s] = ranked.precision(place.groups)
    return found[0], found[1]


def _mean(values: Floats) -> Floats:
    """Mean over the first axis where it is defined; NaN where nothing is."""
    defined = np.isfinite(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    found: Floats = np.full(total.shape, np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found
