"""Which classes there are, and the labels of each site in terms of them."""

import dataclasses
from collections.abc import Mapping

from cellwise.contracts.layout import Arrangement, Problem
from cellwise.domain.classes import NEGATIVE, ClassList, classes_from_labels, split_labels
from cellwise.domain.plain_words import counted
from cellwise.domain.records import Site
from cellwise.errors import PreflightError
from cellwise.stages.read._assemble import Assembly
from cellwise.stages.read._columns import plain_name
from cellwise.stages.read._columns import words as setting
from cellwise.stages.read._labels import Joined
from cellwise.stages.read.label_words.spelling import spelled
from cellwise.stages.read.spec import Options
from cellwise.store.worlds.class_lists import class_list, named_lists

_FIRST = 5


def choose_classes(
    joined: Joined | None, arrangement: Arrangement, options: Options
) -> tuple[ClassList | None, str]:
    """The class list and its name; the labels are checked against it.

    Raises:
        PreflightError: A label is not in the declared list.
    """
    texts: list[str | None] = list(joined.labels.values()) if joined else []
    words = {word for text in texts for word in (split_labels(text) or ())}
    wanted = options.classes if options.classes != "auto" else arrangement.classes
    own = options.labels and options.classes == "auto" and joined is not None
    if own and joined and not _speaks_of(wanted, words, joined.columns):
        # The user's own labels need not speak of the classes the layout stands for.
        wanted = ""
    if not wanted:
        return _own_classes(texts), ""
    if "|" in wanted:
        declared, name = _own_classes([wanted]), ""
    else:
        declared, name = class_list(wanted), wanted
    assert declared is not None
    unknown = sorted(word for word in words if not declared.knows(word))
    if unknown:
        shown = ", ".join(map(repr, unknown[:_FIRST]))
        alike = {spelled(name) for name in declared.names} & {spelled(word) for word in unknown}
        merge = f" For spelling alone: {setting([('spelling', 'merge')])}" if alike else ""
        raise PreflightError(
            f"{counted(len(unknown), 'labels')} not among the {len(declared)} classes"
            f"{f' of {name}' if name else ''}: {shown}. Correct the labels, or give the right list "
            f"with --set read.classes=NAME ({', '.join(named_lists())}, or a|b|c). Labels "
            f"that the folder itself declares are left out with --set read.declared=ignore.{merge}"
        )
    return declared, name


def _speaks_of(name: str, words: set[str], columns: Mapping[str, str]) -> bool:
    """Whether a person's labels are of the class list that the layout stands for.

    Numbers are so in a table with the columns of the challenge, `ID` and `Label`, only: elsewhere
    `1` may be of any list, such as the 28 classes of the challenge of 2018 (`Id`, `Target`).
    """
    if not name:
        return False
    known = {word for word in words if class_list(name).knows(word)}
    keys = {plain_name(text) for level, text in columns.items() if level != "label"}
    challenge = keys == {"id"} and plain_name(columns.get("label", "")) == "label"
    return any(challenge or not word.isdecimal() for word in known)


def _own_classes(texts: list[str | None]) -> ClassList | None:
    """The classes that the labels themselves name; whole numbers in the order of numbers."""
    try:
        found = classes_from_labels(texts)
    except ValueError as error:
        cure = f"To make one class of them: {setting([('spelling', 'merge')])}"
        raise PreflightError(f"{error} {cure}") from error
    if not found.names:
        return None
    if all(name.isdecimal() for name in found.names):
        return ClassList(tuple(sorted(found.names, key=int)))
    return found


def label_sites(
    assembly: Assembly,
    arrangement: Arrangement,
    joined: Joined | None,
    classes: ClassList | None,
) -> tuple[tuple[Site, ...], list[Problem]]:
    problems: list[Problem] = []
    result = []
    for site in assembly.sites:
        wish = assembly.wished[site.id]
        labels = None
        if joined is not None and classes is not None:
            try:
                labels = classes.parse(joined.labels.get(site.id))
            except ValueError as error:
                problems.append(_contradiction(site, error))
        part = arrangement.parts.get(wish, site.part)
        if part == "unlabelled" and labels:
            part = "train"
        elif part == "train" and not labels:
            part = "unlabelled"
        said = joined.metadata.get(site.id, {}) if joined else {}
        extra = _one_of_each(arrangement.metadata.get(wish, {}), said)
        # What the file names say of plate, well and site wins over the table.
        metadata = {**extra, **site.metadata}
        result.append(dataclasses.replace(site, labels=labels, part=part, metadata=metadata))
    return tuple(result), problems


def _one_of_each(found: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """Columns of the layout's own tables and of the labels file, which has the last word.

    `WellType` and `well_type` are one, under the name that the layout gives it.
    """
    names = {plain_name(name): name for name in found}
    return {**found, **{names.get(plain_name(name), name): value for name, value in said.items()}}


def _contradiction(site: Site, error: ValueError) -> Problem:
    return Problem(
        "label_contradiction",
        site.raw_id,
        f"{error} The field is taken as unlabelled.",
        f"Correct the label; {NEGATIVE} stands alone.",
        site.id,
        set_aside=False,
    )
