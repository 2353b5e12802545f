"""What stops a labels file from labelling more fields than its rows speak of.

Refusals name the column and the words that settle it. Columns that the person chose are taken at
their word.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cellwise.domain.missing import is_missing
from cellwise.errors import PreflightError
from cellwise.stages.read._columns import role_of, words
from cellwise.stages.read._fields import Fields, Ids, number, plate_words
from cellwise.stages.read._keys import Keys
from cellwise.stages.read._tables import LabelTable

_FIRST = 3
_KINDS = {
    "plate": "plates",
    "experiment": "experiments",
    "well": "wells",
    "site": "fields",
    "name": "images",
}


def refuse_overreach(fields: Fields, table: LabelTable, keys: Keys, found: Sequence[Ids]) -> None:
    """Refuse a table that is finer than what it is joined on.

    Args:
        fields: The fields of the folder.
        table: The table.
        keys: What it is joined on.
        found: The fields that each row is about.

    Raises:
        PreflightError: Names the column that would have to be joined, and the cure.
    """
    _refuse_shift(fields, table, keys)
    if keys.chosen or any(key.level == "name" for key in keys.joined):
        return
    _refuse_numbers_alone(table, keys, found)
    rows: dict[Ids, list[int]] = defaultdict(list)
    for place, ids in enumerate(found):
        if ids and table.rows[place][keys.label]:
            rows[ids].append(place)
    coarse = any(len(ids) > 1 or len(places) > 1 for ids, places in rows.items())
    for name in [name for name in keys.idle if role_of(name) in _KINDS]:
        role = role_of(name)
        level_is_joined = any(key.level == role for key in keys.joined)
        if level_is_joined and role != "name":
            continue
        if coarse or (role != "name" and _known(fields, role)) or _many(table, name, role):
            _refuse_idle(fields, table, keys, name)
    _refuse_finer(fields, table, keys, rows)
    if len(fields.plates) > 1 and not any(key.level == "plate" for key in keys.joined):
        _refuse_contradicting(fields, table, keys, rows)


def _refuse_shift(fields: Fields, table: LabelTable, keys: Keys) -> None:
    """Numbers from 0 on one side and from 1 on the other would all be off by one."""
    for key in [key for key in keys.joined if key.level in ("site", "plate")]:
        stated = _numbers((row[key.column] for row in table.rows), key.level)
        known = _numbers(
            fields.plates if key.level == "plate" else fields.places["site"], key.level
        )
        if key.level == "plate" and len(stated) <= 1 and len(known) <= 1:
            # The only plates of both sides are the same.
            continue
        apart = 0 in stated - known or 0 in known - stated
        if apart and any({n + by for n in stated} <= known for by in (1, -1)):
            raise PreflightError(
                f"{table.path}: {key.column!r} counts {_KINDS[key.level]} from {min(stated)}, the "
                f"images from {min(known)}. Number both alike."
            )


def _refuse_numbers_alone(table: LabelTable, keys: Keys, found: Sequence[Ids]) -> None:
    """The number of a field says nothing while every well has a field of that number."""
    several = max((len(ids) for ids in found), default=0)
    if several > 1 and {key.level for key in keys.joined} <= {"site", "experiment"}:
        raise PreflightError(
            f"{table.path}: {keys.columns[0]!r} says a number that {several} fields of this folder "
            "have. Add a column `well` (and `plate`), or a column `image` with names of files."
        )


def _numbers(texts: Iterable[str], level: str) -> set[int]:
    said = [text for text in texts if not is_missing(text)]
    if level == "plate":
        words = [plate_words(text) for text in said]
        plain = [found[0] for found in words if len(found) == 1]
    else:
        plain = [number(text) for text in said]
    return {int(text) for text in plain if text.isdecimal()}


def _many(table: LabelTable, name: str, role: str) -> bool:
    """Whether a column names several plates where the images name none."""
    stated = {plate_words(row[name]) for row in table.rows if not is_missing(row[name])}
    return role in ("plate", "experiment") and len(stated) > 1


def _refuse_idle(fields: Fields, table: LabelTable, keys: Keys, name: str) -> None:
    role = role_of(name)
    values = list(dict.fromkeys(row[name] for row in table.rows if not is_missing(row[name])))
    known = _known(fields, role)
    raise PreflightError(
        f"{table.path}: {name!r} names {_KINDS[role]} ({_shown(values)}) that are not in this "
        f"folder ({_KINDS[role]} here: {_shown(known) or 'not named'}), so its rows would label "
        f"more fields than they speak of. Correct it; or, if the labels hold for each whole "
        f"{_whole(keys)}, leave it aside: {words([('key', ','.join(keys.columns))])}"
    )


def _refuse_finer(
    fields: Fields, table: LabelTable, keys: Keys, rows: Mapping[Ids, Sequence[int]]
) -> None:
    """Several rows for one well that differ in a column which is not joined."""
    several = {ids: places for ids, places in rows.items() if len(places) > 1 and len(ids) > 1}
    if not several:
        return
    rest = [n for n in table.columns if n and n not in (*keys.columns, keys.label)]
    apart = {
        name: {ids for ids, places in several.items() if _differ(table, name, places)}
        for name in rest
    }
    looks = [name for name in rest if apart[name] and _like_numbers(fields, table, name)]
    short = {ids for ids, places in several.items() if len(ids) > len(places)}
    contradicting = {ids for ids, places in several.items() if _differ(table, keys.label, places)}
    if 2 * len(contradicting) < len(rows):
        contradicting = set()
    telling = [name for name in rest if apart[name] & (short | contradicting)]
    for name in [*looks, *telling][:1]:
        ids = min(apart[name], key=sorted)
        places = several[ids]
        first = ", ".join(table.rows[places[0]][column] for column in keys.columns)
        joined = ",".join(keys.columns)
        raise PreflightError(
            f"{table.path}: {first} has {len(places)} rows that differ in {name!r}, and joined by "
            f"{joined} each would label {len(ids)} fields. If {name!r} names plates, fields or "
            f"files, join it too: {words([('key', f'{joined},{name}')])} ; if the labels hold for "
            f"each whole {_whole(keys)}: {words([('key', joined)])}"
        )


def _refuse_contradicting(
    fields: Fields, table: LabelTable, keys: Keys, rows: Mapping[Ids, Sequence[int]]
) -> None:
    """A map for all plates says one thing of each well."""
    for places in rows.values():
        if _differ(table, keys.label, places):
            row = table.rows[places[0]]
            raise PreflightError(
                f"{table.path}: {', '.join(row[name] for name in keys.columns)} has different "
                f"labels, and no column says which of the {len(fields.plates)} plates "
                f"({_shown(sorted(fields.plates))}) each is for. Add a column `plate`."
            )


def _differ(table: LabelTable, name: str, places: Sequence[int]) -> bool:
    return len({table.rows[place][name] for place in places}) > 1


def _like_numbers(fields: Fields, table: LabelTable, name: str) -> bool:
    """Whether a column holds just the numbers of the folder's plates or fields."""
    values = [row[name] for row in table.rows if not is_missing(row[name])]
    plates = {plate_words(plate) for plate in fields.plates}
    sites = set(fields.places["site"])
    return (len(plates) > 1 and {plate_words(text) for text in values} == plates) or (
        len(sites) > 1 and {number(text) for text in values} == sites
    )


def _known(fields: Fields, role: str) -> list[str]:
    if role == "plate":
        return sorted(fields.plates)
    return sorted(fields.all if role == "name" else fields.places[role])


def _whole(keys: Keys) -> str:
    return "well" if any(key.level in ("well", "place") for key in keys.joined) else "plate"


def _shown(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_FIRST]) + (" ..." if len(texts) > _FIRST else "")
