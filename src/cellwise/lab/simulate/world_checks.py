"""Acceptance of a world on disk: is it whole, and do controls that know nothing stay at chance?

Source: figures 7.8 of the field notes. A model that sees only where a cell lies, or only how bright
it is in each channel, must not find its classes: the truth would be readable without its pattern.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.errors import FormatError
from cellwise.lab.simulate.label_checks import Check
from cellwise.lab.synth.foreign.card import world_card
from cellwise.lab.synth.foreign.draw import draw_severity
from cellwise.measures.average_precision import average_precision
from cellwise.store.worlds.challenge_folders import COLOURS
from cellwise.store.worlds.truth import Truth, read_truth

Numbers = npt.NDArray[np.float64]

# How far above prevalence a control may come.
CONTROL_SLACK = 0.15
RANDOM_SLACK = 0.02
# A class is judged by controls from so many cells of so many proteins.
LEAST_CELLS, LEAST_PROTEINS = 30, 5
_DRAWS = 50
_TREES = 60
_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class KnownCells:
    """All cells of a world that are not ignored, one row each.

    Args:
        classes: Whether a cell shows a class, `[cell, class]`; the last is Negative.
        group: Number of its protein.
        position: Place of the cell: y, x, distance to the border, cells in its field.
        brightness: Mean of each channel over the cell.
    """

    classes: npt.NDArray[np.bool_]
    group: npt.NDArray[np.int64]
    position: Numbers
    brightness: Numbers


def check_world(folder: Path, *, seed: int = 0) -> list[Check]:
    """All checks of a world of fields in the HPA layout; controls only where it is whole.

    Raises:
        FormatError: The folder holds no such world.
    """
    truth = read_truth(folder)
    if truth.cells is None or truth.sites is None or truth.world.get("world") != "hpa":
        raise FormatError(f"{folder} is no data set made by `cellwise simulate --world hpa`.")
    names = list(truth.world["classes"])
    whole = _whole(folder, truth)
    if not all(check.ok for check in whole):
        return whole
    cells = read_known_cells(folder, truth)
    return [
        *whole,
        *random_scores(cells, names, seed=seed),
        *blind_model("position", cells.position, cells, names, seed=seed),
        *blind_model("brightness", cells.brightness, cells, names, seed=seed),
    ]


def read_known_cells(folder: Path, truth: Truth) -> KnownCells:
    """Measure every cell that is not ignored, field by field."""
    assert truth.cells is not None
    names = list(truth.world["classes"])
    rows = [_measure(folder, truth, *entry) for entry in _fields(truth.cells)]
    kept = truth.cells.filter(~pl.col("ignored"))
    classes = np.zeros((kept.height, len(names)), bool)
    for row, shown in enumerate(kept["classes"].to_list()):
        classes[row, [names.index(name) for name in shown] or [len(names) - 1]] = True
    group = kept["group"].rank("dense").to_numpy().astype(np.int64)
    position, brightness = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return KnownCells(classes, group, position, brightness)


def random_scores(cells: KnownCells, names: list[str], *, seed: int) -> list[Check]:
    """The average precision of random scores is the prevalence, on average over draws."""
    rng = np.random.default_rng(seed)
    checks = []
    for k in _judged(cells):
        truth = cells.classes[:, k]
        drawn = [average_precision(truth, rng.random(truth.size)) for _ in range(_DRAWS)]
        value = float(np.mean(drawn) - truth.mean())
        name = f"AP of random scores over prevalence: {names[k]}"
        checks.append(Check(name, value, -RANDOM_SLACK, RANDOM_SLACK, int(truth.sum())))
    return checks


def blind_model(
    what: str, features: Numbers, cells: KnownCells, names: list[str], *, seed: int
) -> list[Check]:
    """A forest that sees only `features`, judged on proteins it was not trained on."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold

    judged = _judged(cells)
    scores = np.zeros((len(features), len(judged)))
    folds = GroupKFold(min(_FOLDS, len(np.unique(cells.group))))
    for train, test in folds.split(features, groups=cells.group):
        for column, k in enumerate(judged):
            forest = RandomForestClassifier(
                _TREES, min_samples_leaf=10, max_samples=0.5, random_state=seed
            )
            truth = cells.classes[train, k]
            if truth.any() and not truth.all():
                forest.fit(features[train], truth)
                scores[test, column] = forest.predict_proba(features[test])[:, 1]
    checks = []
    for column, k in enumerate(judged):
        truth = cells.classes[:, k]
        value = average_precision(truth, scores[:, column]) - float(truth.mean())
        name = f"AP from {what} alone over prevalence: {names[k]}"
        checks.append(Check(name, value, -1.0, CONTROL_SLACK, int(truth.sum())))
    return checks


def _whole(folder: Path, truth: Truth) -> list[Check]:
    """Every field has its files, its masks and its rows; no protein is in both parts."""
    assert truth.cells is not None
    assert truth.sites is not None
    missing = [
        path
        for site_id, part in truth.sites.select("site_id", "part").iter_rows()
        for path in (folder / part / f"{site_id}_{colour}.png" for colour in COLOURS)
        if not path.is_file()
    ]
    parts = truth.sites.group_by("group").agg(pl.col("part").n_unique().alias("parts"))
    train = pl.read_csv(folder / "train.csv", infer_schema=False)
    given = dict(truth.sites.select("site_id", "given").iter_rows())
    names = list(truth.world["classes"])
    wrong = sum(
        [names[int(k)] for k in label.split("|")] != list(given.get(site_id, []))
        for site_id, label in train.select("ID", "Label").iter_rows()
    )
    listed = dict(truth.cells.group_by("site_id").agg("cell_id").iter_rows())
    unlike = sum(
        sorted(set(np.unique(labels)) - {0}) != sorted(listed.get(site_id, []))
        for site_id in truth.site_ids()
        if (labels := truth.labels(site_id)) is not None
    )
    n = truth.sites.height
    return [
        *_as_drawn(truth),
        Check("images missing", len(missing), 0, 0, n),
        Check("proteins in both parts", int((parts["parts"] > 1).sum()), 0, 0, parts.height),
        Check("labels unlike the truth's given ones", wrong, 0, 0, train.height),
        Check("fields whose masks and rows differ", unlike, 0, 0, n),
        Check("fields without a cell", n - truth.cells["site_id"].n_unique(), 0, 0, n),
    ]


def _as_drawn(truth: Truth) -> list[Check]:
    """A foreign world's card says what its seed draws today; other worlds have no card."""
    card = truth.world.get("foreign")
    if card is None:
        return []
    now = json.loads(json.dumps(world_card(draw_severity(int(truth.world["seed"])))))
    unlike = [name for name in now if card.get(name) != now[name]]
    return [Check("parts of the card unlike the family's", len(unlike), 0, 0, len(now))]


def _fields(cells: pl.DataFrame) -> Iterator[tuple[str, str, npt.NDArray[np.int64]]]:
    """Field, part and the cells in it that are not ignored, in the order of the table."""
    kept = cells.filter(~pl.col("ignored"))
    for (site_id, part), rows in kept.group_by("site_id", "part", maintain_order=True):
        yield str(site_id), str(part), rows["cell_id"].to_numpy().astype(np.int64)


def _measure(
    folder: Path, truth: Truth, site_id: str, part: str, cells: npt.NDArray[np.int64]
) -> tuple[Numbers, Numbers]:
    """Place and brightness of some cells of a field."""
    from PIL import Image

    labels = truth.labels(site_id)
    assert labels is not None
    flat = labels.ravel().astype(np.int64)
    area = np.maximum(np.bincount(flat, minlength=cells.max() + 1), 1)
    y, x = (_mean(flat, axis.ravel(), area) for axis in np.indices(labels.shape))
    planes: list[Any] = [
        np.asarray(Image.open(folder / part / f"{site_id}_{colour}.png")) for colour in COLOURS
    ]
    light = np.stack([_mean(flat, plane.ravel(), area) for plane in planes], 1)
    size = labels.shape[0]
    edge = np.minimum(np.minimum(y, x), np.minimum(size - y, size - x))
    many = np.full(len(area), len(np.unique(flat)) - 1.0)
    return np.stack([y, x, edge, many], 1)[cells], light[cells]


def _mean(
    flat: npt.NDArray[np.int64], values: npt.NDArray[Any], area: npt.NDArray[np.int64]
) -> Numbers:
    sums = np.bincount(flat, weights=values, minlength=len(area))
    return np.asarray(sums / area, np.float64)


def _judged(cells: KnownCells) -> list[int]:
    """Positive classes with enough cells of enough proteins, and enough cells without them.

    Not the last, Negative: a cell that shows nothing is dark, and may be found by that.
    """
    return [
        k
        for k in range(cells.classes.shape[1] - 1)
        if min(cells.classes[:, k].sum(), (~cells.classes[:, k]).sum()) >= LEAST_CELLS
        and len(np.unique(cells.group[cells.classes[:, k]])) >= LEAST_PROTEINS
    ]
