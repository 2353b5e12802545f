"""The wells of screens in finished runs: right answers of each row, and what rows gain over others.

Wells of the test part are judged, whose treatments the folder does not tell and the world's truth
does: no label, epoch or setting of a run could follow from them. Controls are no question. A world
is one value: its wells share experiments and networks, so intervals are Student's over worlds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import ttest_1samp

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, wells_table
from cellwise.domain.tables import TREATMENTS
from cellwise.domain.units import EXPERIMENT, WELL, places
from cellwise.errors import FormatError
from cellwise.lab.benchmark.plan import Plan, Task
from cellwise.lab.benchmark.rows import Row, World
from cellwise.lab.benchmark.statistics import Estimate, holm, over_worlds, sign
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.truth import read_truth

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """The wells of one drawn world.

    Args:
        wells: `well`, `experiment` and `treatment` (true), sorted by `well`.
        right: By row, `[well]` of each seed: whether its answer is the true treatment.
    """

    wells: pl.DataFrame
    right: Mapping[str, tuple[Flags, ...]]


@dataclass(frozen=True, slots=True)
class WellLine:
    """One line of the table: a row in a world.

    Args:
        world: Name.
        row: Name.
        accuracy: Share of right answers, mean over worlds.
        each: The share in every drawn world.
        base: The row it is compared with; empty for none.
        difference: Paired by world, to the base.
        p: Of the difference, by Student's test over worlds; NaN for fewer than two.
        holm: After Holm's correction over the table.
        sign: `better`, `worse`, `open`; empty without a base.
        wells: How many were judged, over all worlds drawn.
        experiments: How many they lie in.
        chance: Share of right answers of a guess among a world's treatments.
    """

    world: str
    row: str
    accuracy: Estimate
    each: tuple[float, ...]
    base: str
    difference: Estimate | None
    p: float
    holm: float
    sign: str
    wells: int
    experiments: int
    chance: float


def judged_wells(folder: Path, tasks: Sequence[Task], out: Path) -> Judged:
    """What every row of finished runs answers for the wells of one drawn world.

    Args:
        folder: The world.
        tasks: All of its runs; each row is in those of one way of reading and splitting.
        out: The benchmark's folder.

    Raises:
        FormatError: The truth does not tell the treatments, or there is no test part.
    """
    wells = _wells(folder, RunFolder(tasks[0].run(out)))
    found: dict[str, list[Flags]] = {}
    for task in tasks:
        run = RunFolder(task.run(out))
        for strand in task.merged.strands:
            said = read_table(run.treatments(strand.decide), TREATMENTS)
            joined = wells.join(said.select(WELL, "answer"), on=WELL, how="left")
            same = joined.sort(WELL).select(pl.col("answer") == pl.col("treatment")).to_series()
            found.setdefault(strand.row, []).append(same.fill_null(value=False).to_numpy())
    return Judged(wells, {row: tuple(values) for row, values in found.items()})


def _wells(folder: Path, run: RunFolder) -> pl.DataFrame:
    truth = read_truth(folder)
    if truth.sites is None or "classes" not in truth.sites.columns:
        raise FormatError(f"{truth.root}/sites.csv tells no treatments: it needs 'classes'.")
    sites = RunReader(run).sites().filter(pl.col("part") == "test")
    controls = wells_table(sites).filter(pl.col("well_type").is_in([POSITIVE, NEGATIVE]))
    named = truth.sites.select("site_id", treatment=pl.col("classes").list.first())
    wells = (
        places(sites)
        .with_columns(sites["site_id"])
        .join(named, on="site_id")
        .group_by(WELL)
        .agg(pl.col(EXPERIMENT).first(), pl.col("treatment").first())
        .join(controls, on=WELL, how="anti")
        .filter(pl.col(WELL).is_not_null() & pl.col("treatment").is_not_null())
        .sort(WELL)
    )
    if wells.is_empty():
        raise FormatError(f"{folder} has no wells of a test part whose treatments are known.")
    return wells


def compare_wells(plan: Plan, out: Path) -> list[WellLine]:
    """All lines of the table, world by world in the order of its rows."""
    tasks = plan.tasks()
    lines = []
    for world in plan.worlds:
        seen = [
            judged_wells(draw.folder(out), [t for t in tasks if t.draw == draw], out)
            for draw in plan.draws(world)
        ]
        lines += lines_of(plan.table.rows_of(world), world, seen)
    adjusted = holm([line.p for line in lines])
    return [
        line
        if line.difference is None
        else replace(line, holm=value, sign=sign(line.difference, value))
        for line, value in zip(lines, adjusted, strict=True)
    ]


def lines_of(rows: Sequence[Row], world: World, seen: Sequence[Judged]) -> list[WellLine]:
    """The lines of one world; p-values are not corrected yet, and nothing has a sign."""
    shares = {
        row.name: np.array([np.mean([r.mean() for r in one.right[row.name]]) for one in seen])
        for row in rows
    }
    clusters = 1 if world.groups == "shared" else len(seen)
    wells = pl.concat(
        [one.wells.with_columns(draw=pl.lit(place)) for place, one in enumerate(seen)]
    )
    chance = [1 / one.wells["treatment"].n_unique() for one in seen]
    lines = []
    for row in rows:
        here = [name for name in row.against if name in shares]
        base = max(here, key=lambda name: float(shares[name].mean()), default="")
        gained = shares[row.name] - shares[base] if base else None
        lines.append(
            WellLine(
                world=world.name,
                row=row.name,
                accuracy=over_worlds(shares[row.name], clusters=clusters),
                each=tuple(float(value) for value in shares[row.name]),
                base=base,
                difference=None if gained is None else over_worlds(gained, clusters=clusters),
                p=math.nan if gained is None or clusters < 2 else paired_p(gained),
                holm=math.nan,
                sign="",
                wells=len(wells),
                experiments=wells.select("draw", "experiment").n_unique(),
                chance=float(np.mean(chance)),
            )
        )
    return lines


def paired_p(differences: npt.NDArray[np.float64]) -> float:
    """Two-sided p-value of Student's test that paired differences are 0 in the mean."""
    if len(differences) < 2:
        return math.nan
    if np.ptp(differences) < 1e-12:
        # No spread at all: nothing differs, or no test of it exists.
        return 1.0 if abs(differences[0]) < 1e-12 else math.nan
    return float(ttest_1samp(differences, 0.0).pvalue)
