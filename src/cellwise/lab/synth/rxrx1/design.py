"""The plates of an RxRx1 world: which siRNA lies in which well of which experiment.

Source: the tables of RxRx1 (Recursion 2019, CC BY-NC-SA). As there: the treatments fall once into
four fixed groups; a plate carries one group; the four plates of an experiment carry the groups in a
cyclic order that changes between experiments; the untreated control lies in B02 and the 30 positive
controls in rows C, F, H, J, M and columns 3, 7, 11, 15, 19, 22, shuffled anew on every plate. The
outer rim stays empty.

A small world has the same plates with fewer treatments, spread over the 277 wells that are left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cellwise.errors import UsageError
from cellwise.lab.synth.randomness import generator

PLATES = 4
SITES_PER_WELL = 2
POSITIVE_CONTROLS = 30
CONTROLS = POSITIVE_CONTROLS + 1
SMALLEST_CLASSES, LARGEST_CLASSES = 8, 1108
TREATMENT, POSITIVE, NEGATIVE = "treatment", "positive_control", "negative_control"

# How often each cell type occurs in the 51 experiments of RxRx1.
CELL_TYPES = {"HUVEC": 24, "RPE": 11, "HEPG2": 11, "U2OS": 5}
# A cell type is added only when each has this many experiments: some to learn from, one to test
# on and one odd one.
_EXPERIMENTS_PER_TYPE = 4
_AT_LEAST_FOR_AN_ODD_ONE = 3

_NEGATIVE_WELL = "B02"
_POSITIVE_WELLS = tuple(
    f"{row}{column:02d}" for row in "CFHJM" for column in (3, 7, 11, 15, 19, 22)
)
INNER_WELLS = tuple(f"{row}{column:02d}" for row in "BCDEFGHIJKLMNO" for column in range(2, 24))
_TREATMENT_WELLS = tuple(w for w in INNER_WELLS if w not in {_NEGATIVE_WELL, *_POSITIVE_WELLS})


@dataclass(frozen=True, slots=True)
class Experiment:
    """One batch: four plates of one cell type, made in one go.

    Args:
        name: `{cell type}-{number}`, such as `HUVEC-05`.
        cell_type: One of `CELL_TYPES`.
        part: `train` or `test`.
        groups: The treatment group of plates 1 to 4, a rotation of (0, 1, 2, 3).
        aberrant: True where the batch effect is several times the usual one.
    """

    name: str
    cell_type: str
    part: str
    groups: tuple[int, int, int, int]
    aberrant: bool


@dataclass(frozen=True, slots=True)
class Well:
    """One well: `sirna` counts treatments from 0, then positive controls, then the untreated."""

    experiment: str
    plate: int
    name: str
    sirna: int
    kind: str

    @property
    def id_code(self) -> str:
        """`{experiment}_{plate}_{well}`, the key of the challenge's tables."""
        return f"{self.experiment}_{self.plate}_{self.name}"


@dataclass(frozen=True, slots=True)
class Design:
    """All plates of a world.

    Args:
        seed: What everything is drawn from.
        classes: Number of treatments; ids 0..classes-1, controls follow (31), the last untreated.
        groups: Four disjoint sets of treatments, of equal size.
        experiments: In the order of their names within a cell type.
    """

    seed: int
    classes: int
    groups: tuple[tuple[int, ...], ...]
    experiments: tuple[Experiment, ...]

    @property
    def untreated(self) -> int:
        """The id of the negative control."""
        return self.classes + POSITIVE_CONTROLS

    def wells(self, experiment: Experiment) -> Iterator[Well]:
        """The wells of the four plates, plate by plate, in the order of their names."""
        for plate in range(1, PLATES + 1):
            rng = generator(self.seed, "layout", experiment.name, plate)
            group = self.groups[experiment.groups[plate - 1]]
            content = {_NEGATIVE_WELL: (self.untreated, NEGATIVE)}
            controls = self.classes + rng.permutation(POSITIVE_CONTROLS)
            for well, sirna in zip(_POSITIVE_WELLS, controls, strict=True):
                content[well] = (int(sirna), POSITIVE)
            treatments = rng.permutation(np.asarray(group))
            for well, sirna in zip(_spread(len(group)), treatments, strict=True):
                content[well] = (int(sirna), TREATMENT)
            for name in sorted(content):
                sirna, kind = content[name]
                yield Well(experiment.name, plate, name, sirna, kind)


def make_design(
    seed: int,
    *,
    classes: int = 64,
    experiments: int = 8,
    test_share: float = 0.35,
    aberrant: str = "per-type",
) -> Design:
    """Draw the groups and lay out the experiments.

    Cell types come in round robin, four experiments at least for each, until the 51 experiments of
    RxRx1 are all there. The last experiments of each cell type are the test part.

    Args:
        seed: What everything is drawn from.
        classes: Treatments, a multiple of 4 in 8..1108.
        experiments: 1..51.
        test_share: Share of each cell type's experiments that is the test part (0.35 in RxRx1);
            rounded, at least one and never all, where the type has two.
        aberrant: `per-type` (one experiment of each cell type that has three), `one` in the world,
            or `none`.

    Raises:
        UsageError: A number is out of its range.
    """
    _check(classes, experiments, test_share, aberrant)
    order = generator(seed, "groups").permutation(classes)
    size = classes // PLATES
    groups = tuple(
        tuple(sorted(int(s) for s in order[g * size : (g + 1) * size])) for g in range(PLATES)
    )
    counts = experiments_per_type(experiments)
    odd = _aberrant(seed, counts, aberrant)
    made = [
        _experiment(seed, cell_type, number, total=total, test_share=test_share, odd=odd)
        for cell_type, total in counts.items()
        for number in range(1, total + 1)
    ]
    return Design(seed, classes, groups, tuple(made))


def sites_per_experiment(classes: int) -> int:
    """Site images (of six channels) of one experiment: 2 (classes + 124)."""
    return SITES_PER_WELL * (classes + PLATES * CONTROLS)


def experiments_per_type(experiments: int) -> dict[str, int]:
    """How many experiments each cell type gets: round robin up to RxRx1's own numbers."""
    types = min(len(CELL_TYPES), max(1, experiments // _EXPERIMENTS_PER_TYPE))
    counts = dict.fromkeys(list(CELL_TYPES)[:types], 0)
    while sum(counts.values()) < experiments:
        for cell_type in counts:
            if counts[cell_type] < CELL_TYPES[cell_type] and sum(counts.values()) < experiments:
                counts[cell_type] += 1
    return counts


def _check(classes: int, experiments: int, test_share: float, aberrant: str) -> None:
    if classes % PLATES or not SMALLEST_CLASSES <= classes <= LARGEST_CLASSES:
        raise UsageError(
            f"--classes {classes}: an RxRx1 world has a multiple of {PLATES} treatments, "
            f"{SMALLEST_CLASSES} to {LARGEST_CLASSES}."
        )
    if not 1 <= experiments <= sum(CELL_TYPES.values()):
        raise UsageError(
            f"An RxRx1 world has 1 to {sum(CELL_TYPES.values())} experiments, not {experiments}."
        )
    if not 0.0 <= test_share < 1.0:
        raise UsageError(f"--test-share {test_share:g} lies outside 0 to below 1.")
    if aberrant not in ("per-type", "one", "none"):
        raise UsageError(f"Aberrant experiments are 'per-type', 'one' or 'none', not {aberrant!r}.")


def _aberrant(seed: int, counts: dict[str, int], how: str) -> set[str]:
    rng = generator(seed, "aberrant")
    odd = [
        f"{cell_type}-{rng.integers(1, total + 1):02d}"
        for cell_type, total in counts.items()
        if total >= _AT_LEAST_FOR_AN_ODD_ONE
    ]
    if how == "none" or not odd:
        return set()
    return {odd[rng.integers(len(odd))]} if how == "one" else set(odd)


def _experiment(
    seed: int, cell_type: str, number: int, *, total: int, test_share: float, odd: set[str]
) -> Experiment:
    name = f"{cell_type}-{number:02d}"
    tests = round(total * test_share) if test_share > 0 else 0
    tests = min(max(tests, 1), total - 1) if test_share > 0 else 0
    start = int(generator(seed, "rotation", name).integers(PLATES))
    groups = (start % PLATES, (start + 1) % PLATES, (start + 2) % PLATES, (start + 3) % PLATES)
    part = "test" if number > total - tests else "train"
    return Experiment(name, cell_type, part, groups, aberrant=name in odd)


def _spread(count: int) -> tuple[str, ...]:
    """`count` wells spread evenly over the plate, so that position effects are whole."""
    return tuple(_TREATMENT_WELLS[i * len(_TREATMENT_WELLS) // count] for i in range(count))
