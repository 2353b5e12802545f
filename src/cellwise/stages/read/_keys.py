"""Which columns of a labels file say what field a row is about: all that name a part of its place.

A column counts where its name is one of the field's and its values name something in the folder; a
column of any other name counts where its values are the folder's plates or files. What could be
the key and names nothing here is kept for the guard of `_guard`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cellwise.domain.missing import is_missing
from cellwise.domain.plain_words import counted
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._columns import (
    chosen_columns,
    label_columns,
    refuse_open,
    role_of,
    words,
)
from cellwise.stages.read._fields import Fields, Ids, number, plate_words
from cellwise.stages.read._tables import LabelTable
from cellwise.stages.read.label_columns import label_column_groups, refuse_no_list
from cellwise.stages.read.label_columns.row_and_column import Key, is_pair, pair_of, paired

# In which ways a column of a role may name fields, the most usual first.
_LEVELS = {
    "well": ("well", "place", "name"),
    "plate": ("plate",),
    "experiment": ("experiment",),
    "site": ("site", "name", "place"),
    "time": ("time",),
    "name": ("name", "place", "well"),
    "id": ("name", "place", "well"),
    "": ("name", "place", "well", "plate", "experiment", "site"),
}
_FIRST = 3
_WELL = re.compile(r"\s*(?:[A-Z]|A[A-F])[\s_-]*\d{1,3}\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Keys:
    """What a table is joined on.

    Args:
        label: The label column.
        joined: The key columns.
        idle: Columns called like keys whose values name nothing in this folder.
        chosen: Whether the person named the key.
    """

    label: str
    joined: tuple[Key, ...]
    idle: tuple[str, ...] = ()
    chosen: bool = False
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are joined, both of a pair."""
        return tuple(name for key in self.joined for name in (key.column, key.also) if name)


def find_keys(fields: Fields, table: LabelTable, *, key: str = "", label: str = "") -> Keys:
    """The key and label columns of a table.

    Args:
        fields: The fields of the folder.
        table: The table.
        key: Columns that the person names as the key, joined by commas.
        label: The column that the person names as the label.

    Raises:
        BadOption: A column that is none, or one that is key and label.
        PreflightError: It is open which column it is, or the key names nothing in the folder.
    """
    chosen = chosen_columns(table, key, what="key") if key else []
    labels = chosen_columns(table, label, what="label") if label else label_columns(table)
    if label and len(labels) > 1:
        raise BadOption(f"read.label is one column, not {', '.join(labels)}.")
    if label and labels[0] in chosen:
        raise BadOption(f"Column {labels[0]!r} cannot be both read.key and read.label.")
    labels = [name for name in labels if name not in chosen]
    together = [] if label else label_column_groups(table)
    labels = [] if set(labels) <= set(together) else labels
    named = chosen or [n for n in table.columns if n and role_of(n) and n not in labels]
    pair = [] if chosen and not is_pair(chosen) else pair_of(table, chosen)
    single = [n for n in named if n not in pair and role_of(n) not in ("row", "column")]
    if not single and not pair:
        refuse_no_list(table, fields)
        rest = [n for n in table.columns if n and n not in labels]
        refuse_open(table, _by_value(fields, table, rest), labels, together, open_key=True)
    if len(labels) != 1:
        refuse_open(table, [*single, *pair], labels, together, open_key=False)
    keys = [_understood(fields, table, name, role_of(name)) for name in single]
    if chosen:
        _refuse_idle(keys, table)
        # A row never labels the wells of another plate than its own.
        plates = [
            n for n in table.columns if role_of(n) == "plate" and n not in (*chosen, labels[0])
        ]
        keys += [found for n in plates if (found := _understood(fields, table, n, "plate")).hits]
    if pair and not any(found.hits and found.level == "well" for found in keys):
        keys.append(paired(fields, table, *pair))
    joined = [found for found in keys if found.hits]
    joined = [found for found in joined if not _by_chance(found, joined)]
    joined = [found for found in joined if not _spans_plates(found, joined, fields)]
    if not joined:
        _refuse_unknown(fields, table, keys)
    more, notes = ([], []) if chosen else _of_other_names(fields, table, joined, labels[0])
    taken = {found.column for found in (*joined, *more)}
    idle = [found.title for found in keys if found.column not in taken and found.said]
    notes += _renamed_plate(fields, table, joined) + _other_folder(fields, table, joined)
    return Keys(labels[0], (*joined, *more), tuple(idle), bool(chosen), tuple(notes))


def _understood(fields: Fields, table: LabelTable, name: str, role: str) -> Key:
    """A column in the way in which most rows name something; the earliest of equally good ones."""
    texts = [row[name] for row in table.rows]
    values = {text for text in texts if not is_missing(text)}
    found = [
        Key(name, level, _sites(texts, fields.reader(level, values))) for level in _LEVELS[role]
    ]
    return max(found, key=lambda one: one.hits)


def _sites(texts: Sequence[str], read: Callable[[str], Ids]) -> tuple[Ids | None, ...]:
    known = {text: None if is_missing(text) else read(text) for text in dict.fromkeys(texts)}
    return tuple(known[text] for text in texts)


def _by_chance(key: Key, joined: Sequence[Key]) -> bool:
    """Whether a general name such as `ID` names few fields, or others than the columns beside it.

    Numbers and names of samples may look like those of fields.
    """
    beside = [other for other in joined if role_of(other.column) != "id"]
    if role_of(key.column) != "id" or not beside:
        return False
    rows = zip(key.sites, *(other.sites for other in beside), strict=True)
    agreed = sum(all(ids is None or ids & row[0] for ids in row[1:]) for row in rows if row[0])
    return 2 * agreed < key.said


def _spans_plates(key: Key, joined: Sequence[Key], fields: Fields) -> bool:
    """Whether it gives a number that plates of several experiments have: which is not told."""
    if key.level != "plate" or any(one.level in ("experiment", "name") for one in joined):
        return False
    several = (found for found in key.sites if found and found != fields.all)
    return any(sum(bool(found & of) for of in fields.plates.values()) > 1 for found in several)


def _by_value(fields: Fields, table: LabelTable, names: Sequence[str]) -> list[str]:
    """The columns whose values name fields, wells or plates in at least half of their rows."""
    found = [_understood(fields, table, name, "") for name in names]
    # One plate on each side says nothing of a column that is not called so.
    telling = [key for key in found if len(fields.all) == 1 or fields.all not in key.sites]
    return [key.column for key in telling if key.hits and 2 * key.hits >= key.said]


def _of_other_names(
    fields: Fields, table: LabelTable, joined: Sequence[Key], label: str
) -> tuple[list[Key], list[str]]:
    """Columns of any other name whose values are the names of plates or of images here."""
    levels = {key.level for key in joined}
    taken = {name for key in joined for name in (key.column, key.also)} | {label}
    found = []
    for name in sorted(table.columns):
        values = {row[name] for row in table.rows if not is_missing(row[name])} if name else set()
        values = {text for text in values if _telling(text)}
        if not values or name in taken or role_of(name):
            continue
        plates = {plate.casefold() for plate in fields.plates}
        same = {text.casefold() for text in values} & plates
        telling = len(plates) > 1 or len(values) > 1
        if "plate" not in levels and telling and 2 * len(same) >= min(len(plates), len(values)):
            key = _understood(fields, table, name, "plate")
        elif "name" not in levels:
            texts = [row[name] if _telling(row[name]) else "" for row in table.rows]
            key = Key(name, "name", _sites(texts, fields.reader("name", values)))
            if 2 * key.hits < len(table.rows):
                continue
        else:
            continue
        if same or key.level == "name":
            found.append(key)
            levels.add(key.level)
    what = {"plate": "plates", "name": "images"}
    return found, [
        f"Column {key.column!r} holds names of {what[key.level]} of this folder: rows are joined "
        "on it too."
        for key in found
        if key.hits
    ]


def _renamed_plate(fields: Fields, table: LabelTable, joined: Sequence[Key]) -> list[str]:
    """A note where the only plate of the table has another name than that of the folder."""
    plates = {row[key.column] for key in joined if key.level == "plate" for row in table.rows}
    stated, known = [text for text in plates if not is_missing(text)], list(fields.plates)
    if len(stated) != 1 or len(known) != 1 or plate_words(stated[0]) == plate_words(known[0]):
        return []
    return [f"Plate {stated[0]!r} of the table is taken as the only plate here, {known[0]!r}."]


def _other_folder(fields: Fields, table: LabelTable, joined: Sequence[Key]) -> list[str]:
    """A note where paths of the table lie in another folder than the images of their names."""
    named = [key.column for key in joined if key.level == "name"]
    texts = ({row[name] for row in table.rows if not is_missing(row[name])} for name in named)
    apart = [where for values in texts if (where := fields.elsewhere(values))]
    return [
        f"Paths of the table name the folder {stated!r}, and the images of these names lie in "
        f"{here!r}: they are joined by name. Is it the table of these images?"
        for stated, here in apart
    ]


def _telling(text: str) -> bool:
    """Whether a text is no well and no small number, which other columns hold as well."""
    return not is_missing(text) and not _WELL.fullmatch(text) and len(number(text)) > 2


def _refuse_idle(keys: Sequence[Key], table: LabelTable) -> None:
    idle = [key for key in keys if not key.hits]
    if idle:
        raise PreflightError(
            f"{table.path}: {idle[0].column!r} (read.key) names no field, file, well or plate of "
            f"this folder; it says {_examples(table, idle[0].column)}."
        )


def _refuse_unknown(fields: Fields, table: LabelTable, keys: Sequence[Key]) -> None:
    said = "; ".join(f"{key.column!r} says {_examples(table, key.column)}" for key in keys)
    plates = f" on {', '.join(sorted(fields.plates)[:_FIRST])}" if fields.plates else ""
    hint = _by_value(fields, table, [name for name in table.columns if name])
    cure = f"Perhaps it is {words([('key', hint[0])])}" if hint else "Name its key or label column"
    raise PreflightError(
        f"{table.path} labels none of the {counted(len(fields.all), 'fields')} of this folder "
        f"({counted(len(table.rows), 'rows')}): {said}, and the fields are called "
        f"{', '.join(sorted(fields.all)[:_FIRST])}{plates}. {cure}, or leave the labels out to "
        "segment only."
    )


def _examples(table: LabelTable, column: str) -> str:
    texts = dict.fromkeys(row[column] for row in table.rows if not is_missing(row[column]))
    return ", ".join(map(repr, list(texts)[:_FIRST])) or "nothing"
