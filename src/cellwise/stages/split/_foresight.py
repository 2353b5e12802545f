"""What can be said of a split before any pixel is read: enough fields or not, what it mixes up."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cellwise.domain.foresight import ClassCount, FolderFacts, Foresight, Refusal
from cellwise.domain.plain_words import counted
from cellwise.domain.records import Site
from cellwise.registry import did_you_mean, split_spec
from cellwise.stages.split._choice import choose_column, groups_per_class
from cellwise.stages.split._groups import Values, connect, qualified
from cellwise.stages.split.spec import ALONE, Options

_PREFIX = "Metadata_"
# One to learn from and one to test on.
NEEDED = 2
# Fields of one such unit look alike for reasons that have nothing to do with their class.
_BATCHES = ("Experiment", "Plate", "Replicate", "Batch", "Donor", "Sample", "Well")
_SHOWN = 6


def foresight_of(options: Options, folder: FolderFacts) -> Foresight:
    """What the split of a folder will lack, before its pixels tell of copies.

    Without any label nothing is said: that is for the steps that learn.
    """
    sites = [site for site in folder.sites if site.labels and site.part != "test"]
    if folder.classes is None or not sites:
        return Foresight()
    columns = metadata_columns(sites)
    labels = np.array([[n in (s.labels or ()) for n in folder.classes.names] for s in sites])
    by = _columns(options, columns, labels)
    unknown = [name for name in by if name not in columns]
    if unknown:
        there = ", ".join(columns) or "no metadata column"
        reason = f"split: no column {unknown[0]!r} to group by."
        hint = did_you_mean(unknown[0], list(columns))
        return Foresight((Refusal(reason, f"{hint} There is: {there}.".strip(), "column"),))
    groups = connect([qualified(columns, name) for name in by], count=len(sites))
    every = np.ones(len(sites), bool)
    held = groups_per_class(groups, labels, every)
    # To learn a class it takes fields with it and fields without it, both in every fold left out.
    other = groups_per_class(groups, ~labels, every)
    counts = tuple(
        ClassCount(name, int(labels[:, c].sum()), int(held[c]), int(other[c]), NEEDED)
        for c, name in enumerate(folder.classes.names)
        if labels[:, c].any()
    )
    unit = by[0].removeprefix(_PREFIX).lower() if by else "field"
    learned = [c for c in counts if c.enough and c.name != folder.classes.negative]
    folds = options.folds if options.is_balanced else 1
    count = len(np.unique(groups))
    dealt, among = count, ""
    if split_spec(options.method)[0] == "by_cell_type":
        dealt, among = _most_of_a_kind(columns, groups), " of one cell type"
    refusals = _refusals(counts, len(learned), dealt, folds, unit, among)
    if refusals:
        return Foresight(refusals, (), counts)
    mixed = confounded(columns, labels, folder.classes.names)
    made = folds if options.is_balanced else 0
    return Foresight((), (*_too_few(counts, unit), *mixed), counts, groups=count, folds=made)


def _most_of_a_kind(columns: Mapping[str, Values], groups: npt.NDArray[np.int64]) -> int:
    """How many groups the cell type with the most of them has."""
    kinds = columns.get(f"{_PREFIX}CellType", [None] * len(groups))
    pairs = {(kind or "", int(group)) for kind, group in zip(kinds, groups, strict=True)}
    return max(Counter(kind for kind, _ in pairs).values(), default=0)


def metadata_columns(sites: Sequence[Site]) -> dict[str, Values]:
    """Values per site of each metadata column, under the names that tables have."""
    names = dict.fromkeys(name for site in sites for name in site.metadata)
    return {f"{_PREFIX}{name}": [site.metadata.get(name) for site in sites] for name in names}


def confounded(
    columns: Mapping[str, Values], labels: npt.NDArray[np.bool_], classes: Sequence[str]
) -> list[str]:
    """Sentences on batches that each hold one class only, so that the two cannot be distinguished.

    Args:
        columns: Metadata columns, name to values, one value per labelled site.
        labels: `[site, class]` of these sites.
        classes: The class names.
    """
    present = [c for c in range(len(classes)) if labels[:, c].any()]
    sentences = []
    seen: set[tuple[tuple[str, ...], ...]] = set()
    for name in dict.fromkeys(f"{_PREFIX}{batch}" for batch in _BATCHES):
        if name not in columns or len(present) < NEEDED:
            continue
        values = qualified(columns, name)
        held = [
            sorted(
                {v for v, has in zip(values, labels[:, c], strict=True) if has and v is not None}
            )
            for c in present
        ]
        own = [values_of for values_of in held if len(values_of) == 1]
        alone = [v for v in own if sum(v[0] in other for other in held) == 1]
        key = tuple(map(tuple, held))
        if len(alone) < NEEDED or key in seen:
            continue
        seen.add(key)
        word = name.removeprefix(_PREFIX).lower()
        pairs = [
            f"{classes[c]} in {v[0]}" for c, v in zip(present, held, strict=True) if v in alone
        ]
        shown = f"{', '.join(pairs[:_SHOWN])}{', ...' if len(pairs) > _SHOWN else ''}"
        sentences.append(
            f"Class and {word} cannot be distinguished: {len(alone)} of {len(present)} classes are "
            f"in one {word} each that holds no other class ({shown}). A model may learn the "
            f"{word} in place of the class, and no figure here shows how it does on another {word}."
        )
    return [*sentences, *_tied_to_places(columns, labels, classes)]


def _tied_to_places(
    columns: Mapping[str, Values], labels: npt.NDArray[np.bool_], classes: Sequence[str]
) -> list[str]:
    """A sentence where plates repeat a layout in which no two classes ever share a place."""
    wells, plates = columns.get(f"{_PREFIX}Well"), columns.get(f"{_PREFIX}Plate")
    if wells is None or plates is None:
        return []
    held: dict[str, set[str]] = {}
    on: dict[str, set[str]] = {}
    for well, plate, row in zip(wells, plates, labels, strict=True):
        if well is None or plate is None:
            continue
        on.setdefault(well, set()).add(plate)
        for c in np.flatnonzero(row).tolist():
            held.setdefault(classes[c], set()).add(well)
    owners = Counter(well for places in held.values() for well in places)
    # A place that was used once says nothing of another plate.
    again = [name for name, places in held.items() if any(len(on[well]) > 1 for well in places)]
    if len(again) < NEEDED or max(owners.values(), default=0) > 1:
        return []
    some = [f"{name} in {_first(sorted(held[name]), _SHOWN // 2)}" for name in again]
    return [
        "Class and place on the plate cannot be distinguished: no place holds two classes, and "
        f"places recur with their class on other plates ({_first(some, _SHOWN, '; ')}). A figure "
        "of a plate of the same layout may come from the place (its edge, its row) instead."
    ]


def _first(names: Sequence[str], most: int, between: str = ", ") -> str:
    return between.join(names[:most]) + (f"{between}..." if len(names) > most else "")


def _columns(
    options: Options, columns: Mapping[str, Values], labels: npt.NDArray[np.bool_]
) -> list[str]:
    if options.columns is None:
        every = np.ones(len(labels), bool)
        nothing: Values = [None] * len(labels)
        choice = choose_column(columns, nothing, labels, every, folds=options.folds)
        return [] if choice.column is None else [choice.column]
    return [] if options.columns == (ALONE,) else list(options.columns)


def _refusals(
    counts: Sequence[ClassCount], learned: int, groups: int, folds: int, unit: str, among: str = ""
) -> tuple[Refusal, ...]:
    said = ", ".join(f"{c.name} {c.fields}" for c in counts[:_SHOWN])
    if len(counts) == 1 and not learned:
        return (
            Refusal(
                f"Only one class is labelled ({said} of "
                f"{counted(counts[0].fields, 'labelled fields')}): there is "
                "nothing to tell it from.",
                f"Label at least {NEEDED} fields of it and {NEEDED} of another one (or Negative), "
                "or take --recipe segment-only. If the labels are in another column, name it: "
                '--set "read.label=COLUMN".',
                "one_class",
            ),
        )
    if not learned:
        where = "" if unit == "field" else f", not all in one {unit}"
        return (
            Refusal(
                f"Too few labelled fields per class ({said}): to learn and to test a class takes "
                f"at least {NEEDED} fields with it and {NEEDED} without it{where}.",
                "Label more fields, merge classes, or take --recipe segment-only.",
                "too_few_fields",
            ),
        )
    if groups < folds:
        return (
            Refusal(
                f"{folds} folds need at least {folds} {unit}s{among} with labels, here are "
                f"{groups}.",
                f"Take fewer folds, --set split.folds={groups}, or label more fields.",
                "too_few_fields",
            ),
        )
    return ()


def _too_few(counts: Sequence[ClassCount], unit: str) -> list[str]:
    lone = [count for count in counts if count.groups < count.needed]
    everywhere = [count for count in counts if count.others < count.needed]
    said = []
    if lone:
        said.append(
            f"Too few fields to test {len(lone)} of {counted(len(counts), 'classes')}, each in one "
            f"{unit} only: {_named(lone)}. Label more of them, or merge them with another class."
        )
    if everywhere:
        said.append(
            f"Too few fields without {_named(everywhere)}: what lies on nearly all fields "
            "cannot be "
            "told from the rest. Label fields without it."
        )
    return said


def _named(counts: Sequence[ClassCount]) -> str:
    names = ", ".join(f"{count.name} ({count.fields})" for count in counts[:_SHOWN])
    return names + (", ..." if len(counts) > _SHOWN else "")
