"""What cells nearby say corrects a cell's labels: a graph of nearest neighbours on vectors.

It starts from the labels that cells inherit, from those of another label step (`labels`) or from
out-of-fold scores (`from`). Cells that a person judged keep what was seen. Methods:

* `diffusion`: a cell shows a class as far as cells that walks on the graph end at have it, those of
  its own fold left out; it may show several classes or none;
* `spectral`: each class's labels are made smooth by functions of the graph, and stay where they
  were as far as they were near;
* `one_label`: the same with a further class "nothing", 1 less the largest of the others; only
  classes near the strongest are shown.

Vectors that several networks made have a graph for each network. Cells without a vector, and those
that no graph joins with others, keep what they had.

Source: the HPA 2021 system "Raman" (23rd), after Lu et al. 2017 (TPAMI 39), whose answers are
`one_label`; see `_alternation` and `_diffusion`. What it is worth: `docs/explain/graph.md`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from cellwise.contracts.labeller import (
    APART,
    SUPPORTED,
    UNSCORED,
    Bags,
    CellLabels,
    Flags,
    Floats,
    Labeller,
)
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean, split_spec
from cellwise.stages.label._cells import weights
from cellwise.stages.label.graph._candidates import candidates, known_to_show
from cellwise.stages.label.graph._denoise import (
    DIFFUSION,
    METHODS,
    ONE_LABEL,
    Cells,
    Made,
    Settings,
    denoised,
)
from cellwise.stages.label.graph._parts import Numbers, parts_of

NEEDS = ("vectors",)

CUTS = ("", "field", "group")
# With one label a cell, which classes count as the strongest, as in the source.
_NEAR_LARGEST = 0.92
# Seconds of a cell, and of a neighbour of a cell.
_EACH, _EACH_NEIGHBOUR = 7e-5, 4e-7


def build(
    method: str = DIFFUSION,
    neighbours: int = 20,
    cut: str = "",
    reach: float = 0.0,
    folds: int = 5,
    functions: int = 50,
    more: int = 10,
    penalty: float = 0.001,
    slack: float = 0.12,
    rounds: int = 100,
    numbers: int = 64,
    parts: int = 1,
    border: float = 1.0,
    tiny: float = 1.0,
    *,
    scale: bool = True,
    restricted: bool = True,
) -> Labeller:
    """Make the labeller.

    Args:
        method: `diffusion`, `spectral` or `one_label`.
        neighbours: Of each cell, itself not counted; fewer where there are fewer cells.
        cut: Whose cells are no neighbours of each other: of one `field`, or of one `group` of the
            split; nobody's where empty. Errors that cells inherit are shared within a field.
        reach: For `diffusion`, in 0..1, below 1: chance that a walk goes on after each step; 0 is
            the vote of the neighbours.
        folds: For `diffusion`: groups are dealt to so many folds, and cells do not hear labels of
            their own; 1 lets all be heard.
        functions: For the others: how many functions labels are made smooth by.
        more: Up to so many more, as far as the widest gap between their eigenvalues.
        penalty: Of functions that are less smooth, at least 0.
        slack: How far labels may stay from what is smooth, at least 0.
        rounds: At most so many of smoothing and returning.
        numbers: Principal components of the vectors that distances are taken in.
        parts: Each field's cells are dealt to so many parts with a graph each, 3 in the source.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
        scale: Whether numbers of a vector are divided by their deviation first, as numbers of many
            units must be; the source does not.
        restricted: Whether a cell shows only classes that its field has.
    """
    _check_words(method, cut)
    _check_numbers(
        neighbours=neighbours, folds=folds, functions=functions, rounds=rounds, numbers=numbers,
        parts=parts,
    )  # fmt: skip
    if not 0 <= reach < 1:
        raise BadOption(f"label graph: reach lies in 0..1 and below 1, not {reach}.")
    if min(more, penalty, slack, border, tiny) < 0:
        raise BadOption("label graph: more, penalty, slack and weights are not negative.")
    settings = Settings(
        method, neighbours, cut, numbers, scale, reach, functions, more, penalty, slack, rounds
    )

    def graph(bags: Bags) -> CellLabels:
        if bags.vectors is None:
            raise BadOption("label graph: needs vectors; name them: 'embeddings: <embed step>'.")
        start, known = _start(bags)
        rows = np.flatnonzero(~np.isnan(bags.vectors).all(axis=1))
        cells = Cells(
            bags.vectors, start, known, known_to_show(bags, start), _apart(bags, cut),
            _folds(bags, folds), bags.blocks,
        )  # fmt: skip
        with threadpool_limits(1, "blas"):
            # Sums in another order round differently: one thread, whatever the machine has.
            made = [
                (some, denoised(cells.of(some), settings, bags.seed))
                for some in parts_of(bags, rows, parts, bags.seed)
            ]
        after, near, held = _together(made, len(start), start.shape[1], method)
        label = np.where(held[:, None], np.clip(after, 0, 1), start)
        if restricted:
            label = label * bags.inherited
        label = _judged(bags, label.astype(np.float32))
        seen = np.isin(np.arange(len(start)), rows)
        reason = np.where(held, SUPPORTED, np.where(seen, APART, UNSCORED))
        after = np.where(held[:, None], after, start)
        return CellLabels(
            label,
            weights(bags, border=border, tiny=tiny),
            tuple(reason.tolist()),
            {"method": method, "graphs": [dict(one.facts) for _, one in made]},
            candidates(start, after, near),
        )

    return graph


def seconds_of(spec: str | dict[str, Any], cells: int) -> float:
    """Seconds of one core for so many cells, from what 5,000 to 500,000 took.

    Args:
        spec: The labeller with its options, as in a recipe.
        cells: Cells of labelled fields.
    """
    neighbours = int(split_spec(spec)[1].get("neighbours", 20))
    return cells * (_EACH + _EACH_NEIGHBOUR * neighbours)


def _check_words(method: str, cut: str) -> None:
    for name, word, known in (("method", method, METHODS), ("cut", cut, CUTS)):
        if word not in known:
            raise BadOption(
                f"label graph: {name} is one of {', '.join(filter(None, known))}, not {word!r}."
                f"{did_you_mean(word, list(known))}"
            )


def _check_numbers(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise BadOption(f"label graph: {name} is at least 1, not {count}.")


def _start(bags: Bags) -> tuple[Floats, Flags]:
    """`[cell, class]` in 0..1 and `[cell]`: what was said of cells, and whether anything was."""
    start = bags.inherited
    known: Flags = np.ones(len(start), bool)
    if bags.given is not None:
        known = np.asarray(np.isfinite(bags.given).all(axis=1))
        start = np.where(known[:, None], bags.given, start)
    elif bags.scores is not None:
        known = np.asarray(np.isfinite(bags.scores).all(axis=1))
        start = np.where(known[:, None], expit(bags.scores), start)
    return _judged(bags, start.astype(np.float32)), known


def _judged(bags: Bags, label: Floats) -> Floats:
    """Labels with what people saw and refused in place of all else."""
    if bags.verdict is None:
        return label
    return np.where(np.isfinite(bags.verdict), bags.verdict, label).astype(np.float32)


def _folds(bags: Bags, folds: int) -> Numbers:
    """`[cell]`: groups dealt out by chance; of one fold, none, where each hears all."""
    groups = np.unique(bags.site if bags.group is None else bags.group, return_inverse=True)[1]
    count = int(groups.max(initial=0)) + 1
    if folds == 1 or count == 1:
        return np.full(len(bags.site), -1, np.int64)
    dealt = np.random.default_rng(bags.seed).permutation(np.arange(count) % folds)
    return np.asarray(dealt[groups.reshape(-1)], np.int64)


def _apart(bags: Bags, cut: str) -> Numbers | None:
    """`[cell]`: a number for those that are never joined; None where all may be."""
    groups = bags.site if bags.group is None else bags.group
    return {"": None, "field": bags.site, "group": groups}[cut]


def _together(
    made: Sequence[tuple[Numbers, Made]], count: int, classes: int, method: str
) -> tuple[Floats, Floats, Flags]:
    """`[cell, class]` values and known neighbours, and `[cell]` whether a graph holds the cell."""
    after = np.zeros((count, classes), np.float32)
    near = np.zeros((count, classes), np.float32)
    held = np.zeros(count, bool)
    for rows, one in made:
        values = one.values
        if method == ONE_LABEL:
            strong = values >= _NEAR_LARGEST * values.max(axis=1, keepdims=True)
            values = np.where(strong, values, 0)[:, :-1]
        after[rows], near[rows], held[rows] = values, one.near, one.held
    return after, near, held
