"""Field labels from a table: which rows are about which field, and what each row means.

A row is about the fields that all its key columns name together (`_keys`), and never about more of
them than its columns say (`_guard`). Further columns become metadata.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellwise.contracts.layout import Problem
from cellwise.domain.plain_words import by_number, counted
from cellwise.domain.records import Site, normalise_well
from cellwise.errors import PreflightError
from cellwise.stages.read._columns import metadata_name, role_of
from cellwise.stages.read._fields import NONE, Fields, Ids, number
from cellwise.stages.read._guard import refuse_overreach
from cellwise.stages.read._keys import Keys
from cellwise.stages.read._tables import LabelTable

_PLACE = {"plate": "Plate", "well": "Well", "site": "Site", "experiment": "Experiment"}
# More rows of one kind than this are one problem with their count.
_MOST = 20
# So many fields whose rows disagree, and such a share, are no slips.
_LEAST_LONG, _LONG_FORM = 3, 0.2
_WRONG = {
    "absent": (" to no image.", "Add the image, or remove the row."),
    "empty": (" to no image: the key is empty.", "Fill in the key, or remove the row."),
    "several": (
        " to several fields of that name.",
        "Add a column `plate`, or give files with their folders.",
    ),
    "apart": (
        " to no image: the columns name different fields.",
        "Correct the row, or say which column counts: --set read.key=COLUMN.",
    ),
}


@dataclass(frozen=True, slots=True)
class Joined:
    """Labels and metadata by site id, and how the join went.

    Args:
        labels: Label text of each site that a row was found for; empty = unlabelled.
        metadata: Further columns of each such site.
        problems: Rows without image, contradictory and malformed rows.
        counts: Rows, doubled rows, rows without image, sites without a row.
        without_row: Ids of the sites that no row is about.
        notes: What a person should know.
        columns: The key columns by the way in which they name fields, and the `label` column.
    """

    labels: dict[str, str]
    metadata: dict[str, dict[str, str]]
    problems: tuple[Problem, ...]
    counts: dict[str, int]
    without_row: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


def join_labels(sites: Sequence[Site], table: LabelTable, keys: Keys, fields: Fields) -> Joined:
    """Give each site the row that is about it.

    Args:
        sites: All sites of the folder.
        table: The rows, label texts as `a|b`, empty for unlabelled.
        keys: Key and label columns.
        fields: The sites, to be found by what tables call them.

    Raises:
        PreflightError: A row would label more sites than its columns say.
    """
    found, problems, absent = _found(fields, table, keys)
    refuse_overreach(fields, table, keys, found)
    rows_of: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row, ids in zip(table.rows, found, strict=True):
        for site_id in ids:
            rows_of[site_id].append(row)
    labels, metadata, doubled, contradictions = _settle(rows_of, table, keys)
    _refuse_long_form(table, rows_of, contradictions)
    _refuse_nothing(sites, table, labels, (*problems, *contradictions))
    without = tuple(site.id for site in sites if site.id not in labels)
    counts = {
        "label_rows": len(table.rows),
        "label_rows_doubled": doubled,
        "labels_without_image": absent,
        "images_without_label": len(without),
    }
    notes = [*table.notes, *keys.notes, *_plate_note(fields, table, keys)]
    return Joined(
        labels,
        metadata,
        (*table.problems, *problems, *contradictions),
        counts,
        without,
        tuple(notes),
        {**{key.level: key.title for key in keys.joined}, "label": keys.label},
    )


def _refuse_nothing(
    sites: Sequence[Site],
    table: LabelTable,
    labels: Mapping[str, str],
    problems: Sequence[Problem],
) -> None:
    """Refuse a table whose every label comes to nothing, with what is wrong with the first."""
    if problems and not any(labels.values()):
        first = problems[0]
        raise PreflightError(
            f"{table.path} labels none of the {counted(len(sites), 'fields')} of this folder: "
            f"something is wrong with {counted(len(problems), 'rows')}. {first.reason} "
            f"{first.remedy}"
        )


def _refuse_long_form(
    table: LabelTable, rows_of: Mapping[str, Sequence[object]], problems: Sequence[Problem]
) -> None:
    """Refuse a table of which many fields have rows that disagree: a row for each of its labels."""
    if len(problems) >= _LEAST_LONG and len(problems) >= _LONG_FORM * len(rows_of):
        raise PreflightError(
            f"{table.path}: {len(problems)} of {counted(len(rows_of), 'fields')} have several rows "
            f"with different labels, such as {problems[0].reason} If a field has several labels, "
            "write them in one row as a|b; else keep one row of each field."
        )


def _found(fields: Fields, table: LabelTable, keys: Keys) -> tuple[list[Ids], list[Problem], int]:
    """The fields that each row is about, what is wrong with rows, and how many have no image."""
    found: list[Ids] = []
    wrong: dict[str, list[str]] = defaultdict(list)
    for place, row in enumerate(table.rows):
        ids, why = _fields_of(place, fields, keys)
        found.append(ids)
        if why and row[keys.label]:
            said = ", ".join(f"{row[name]!r} (column {name})" for name in keys.columns)
            wrong[why].append(said)
    problems = [
        _wrong_rows(table, why, some) for why, said in wrong.items() for some in _grouped(said)
    ]
    return found, problems, sum(map(len, wrong.values()))


def _grouped(said: list[str]) -> list[list[str]]:
    """Each row by itself, or all in one where there are many."""
    return [[text] for text in said] if len(said) <= _MOST else [said]


def _wrong_rows(table: LabelTable, why: str, said: list[str]) -> Problem:
    which, verb = f"The label of {said[0]}", "belongs"
    if len(said) > 1:
        which = f"The labels of {len(said)} rows, the first of {said[0]},"
        verb = "belong"
    reason, remedy = _WRONG[why]
    return Problem(
        "label_without_image", table.path.name, f"{which} {verb}{reason}", remedy, set_aside=False
    )


def _fields_of(place: int, fields: Fields, keys: Keys) -> tuple[Ids, str]:
    """The fields that a row is about; where there is none, why."""
    named = [key.sites[place] for key in keys.joined if key.level == "name"]
    each = [key.sites[place] for key in keys.joined]
    if any(ids is None for ids in each) and not any(named):
        return NONE, "empty"
    known = [ids for ids in each if ids is not None]
    ids = fields.all.intersection(*known)
    if not ids:
        return NONE, "apart" if all(known) else "absent"
    if any(named) and not fields.one_field(ids):
        return NONE, "several"
    return ids, ""


def _plate_note(fields: Fields, table: LabelTable, keys: Keys) -> list[str]:
    levels = {key.level for key in keys.joined}
    if levels & {"plate", "name", "place"}:
        return []
    rest = fields.all.difference(*fields.plates.values()) if fields.plates else ()
    if rest:
        plates = by_number(len(fields.plates), f"plate {next(iter(fields.plates))!r}", "the plates")
        return [
            f"{table.path.name} names no plate: its wells are those of {plates} and of "
            f"{counted(len(rest), 'fields')} without a plate."
        ]
    if len(fields.plates) > 1:
        return [
            f"{table.path.name} names no plate: its wells are those of all "
            f"{len(fields.plates)} plates."
        ]
    return []


def _settle(
    rows_of: Mapping[str, list[dict[str, str]]], table: LabelTable, keys: Keys
) -> tuple[dict[str, str], dict[str, dict[str, str]], int, list[Problem]]:
    """One label per site; rows that say the same are counted, rows that disagree are listed."""
    labels: dict[str, str] = {}
    metadata: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    doubled = 0
    names = _metadata_names(table, keys)
    for site_id, rows in rows_of.items():
        texts = sorted({_sorted_words(row[keys.label]) for row in rows})
        doubled += len(rows) - 1
        if len(texts) > 1:
            problems.append(
                Problem(
                    "label_contradiction",
                    table.path.name,
                    f"{site_id} has different labels: {' and '.join(map(repr, texts))}; "
                    "it is taken as unlabelled.",
                    "Keep one row; if the field has all of these labels, write them as "
                    f"{'|'.join(text for text in texts if text)}.",
                    site_id,
                    set_aside=False,
                )
            )
        labels[site_id] = rows[0][keys.label] if len(texts) == 1 else ""
        first = min(rows, key=lambda row: tuple(row[name] for name in names))
        metadata[site_id] = {
            new: _place_text(new, first[name]) for name, new in names.items() if first[name]
        }
    return labels, metadata, doubled, problems


def _metadata_names(table: LabelTable, keys: Keys) -> dict[str, str]:
    """The metadata column that each further column becomes; parts of a place by their usual names.

    What names the field itself, or a well that the images state as well, is not repeated.
    """
    levels = {key.column: key.level for key in keys.joined if not key.also}
    rest = [name for name in table.columns if name and name != keys.label]
    rest = [name for name in rest if levels.get(name) not in ("name", "place", "well")]
    usual: dict[str, str] = {}
    for name in sorted(rest, key=lambda name: (name not in levels, name)):
        usual.setdefault(_PLACE.get(levels.get(name) or role_of(name), ""), name)
    place_of = {name: place for place, name in usual.items() if place}
    return {name: place_of.get(name) or metadata_name(name) for name in rest}


def _place_text(name: str, text: str) -> str:
    if name == "Well":
        return normalise_well(text) or text
    return number(text) if name == "Site" else text


def _sorted_words(text: str) -> str:
    return "|".join(sorted({word.strip() for word in text.split("|") if word.strip()}))
