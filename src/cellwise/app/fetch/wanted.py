"""Which images of the public Human Protein Atlas list are wanted, and under which names they lie.

Source: the list `kaggle_2021.tsv` of the HPA challenge 2021 (separated by commas despite its name)
and the rules by which the challenge's systems chose from it: AllDataAreExt & Galixir (9th) the 17
cell lines of the challenge; "Raman" (23rd) besides them every image of a mitotic spindle or an
aggresome, and not `1835_D1_3`; Riedel (21st) the images without nucleoplasm and cytosol.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl

from cellwise.errors import BadOption, PreflightError
from cellwise.registry import did_you_mean
from cellwise.store.worlds.class_lists import class_aliases, class_list

CLASSES = "hpa19"
# Where the atlas serves its images; addresses of the list that are whole are taken as they are.
ATLAS = "https://images.proteinatlas.org"
CHALLENGE_LINES = frozenset(
    (
        *("A-431", "A549", "EFO-21", "HAP1", "HEK 293", "HUVEC TERT2", "HaCaT", "HeLa", "PC-3"),
        *("RH-30", "RPTEC TERT1", "SH-SY5Y", "SK-MEL-30", "SiHa", "U-2 OS", "U-251 MG", "hTCEpi"),
    )
)
_SPINDLE, _AGGRESOME = 11, 15
_COMMON = frozenset((0, 16))
_BANNED = frozenset(("1835_D1_3",))
_STEM = re.compile(
    r"(?P<antibody>\d+)/(?P<field>(?P<plate>\d+)_(?P<well>[A-H]\d{1,2})_[0-9a-z]+)", re.IGNORECASE
)
_TRUE, _FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")
_Rule = Callable[[str, frozenset[int]], bool]
FILTERS: dict[str, _Rule] = {
    "challenge": lambda line, classes: (
        line in CHALLENGE_LINES or bool(classes & {_SPINDLE, _AGGRESOME})
    ),
    "challenge-lines": lambda line, _: line in CHALLENGE_LINES,
    "rare": lambda _, classes: not classes & _COMMON,
    "all": lambda _, __: True,
}
ID_RULES = ("field", "antibody")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One field of the list.

    Args:
        site_id: `{plate}_{well}_{field}`, or with the antibody's number before it.
        antibody: The antibody's number.
        stem: Address without colour and ending.
        place: Where its files lie, without colour and ending, relative to the folder.
        line: Cell line.
        classes: Indices of its classes in `hpa19`, sorted.
    """

    site_id: str
    antibody: str
    stem: str
    place: str
    line: str
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen from a list.

    Args:
        wanted: The fields, in the order of the list.
        refused: What the list says and cannot be fetched: the row's address and why not.
        rows: Rows of the list.
    """

    wanted: tuple[Wanted, ...]
    refused: tuple[tuple[str, str], ...]
    rows: int


def choose(
    table: Path,
    *,
    rule: str = "challenge",
    classes: tuple[str, ...] = (),
    ids: str = "field",
    base: str = "",
    limit: int = 0,
) -> Choice:
    """Choose from a list.

    Images of the challenge's own training set, and those without a class, are never wanted.

    Args:
        table: The list: columns `Image`, `Cellline`, `in_trainset`, and `Label_idx` or `Label`.
        rule: One of `FILTERS`.
        classes: Names of classes of which an image has one at least; empty for no such wish.
        ids: `field`: `{plate}_{well}_{field}`; `antibody`: the antibody's number before it.
        base: Address to ask instead of the list's own, such as a mirror's.
        limit: Most fields to take, from the top of the list; 0 for all.

    Raises:
        BadOption: A rule, class or kind of id that does not exist, or a base that is no address.
        PreflightError: The list cannot be read, lacks a column or says something else in it.
    """
    if rule not in FILTERS:
        raise BadOption(_unknown("filter", rule, list(FILTERS)))
    if ids not in ID_RULES:
        raise BadOption(_unknown("kind of id", ids, list(ID_RULES)))
    if base and urlsplit(base).scheme not in ("http", "https"):
        raise BadOption(f"--base is an address such as {ATLAS}, not {base!r}.")
    asked = _indices(classes)
    frame = _read(table)
    marks = [mark.lower() for mark in frame["in_trainset"]]
    known = _labels(frame)
    wanted: dict[str, Wanted] = {}
    refused: list[tuple[str, str]] = []
    rows = zip(frame["Image"], frame["Cellline"], marks, known, strict=True)
    for image, line, mark, found in rows:
        if mark in _TRUE or not found or not FILTERS[rule](line, found):
            continue
        if asked and not found & asked:
            continue
        one = _wanted(image, line, found, ids=ids, base=base)
        if isinstance(one, str):
            refused.append((image, one))
            continue
        if one.site_id in _BANNED or one.site_id.split("_", 1)[-1] in _BANNED:
            continue
        before = wanted.setdefault(one.site_id.lower(), one)
        if before != one:
            refused.append((image, f"The list names {one.site_id} before, and otherwise."))
        if limit and len(wanted) == limit:
            break
    return Choice(tuple(wanted.values()), tuple(refused), frame.height)


def _read(table: Path) -> pl.DataFrame:
    """The columns in use as text, missing values empty."""
    try:
        with table.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
        separator = max(",\t;", key=first.count)
        frame = pl.read_csv(table, separator=separator, infer_schema=False, encoding="utf8")
    except OSError as error:
        raise BadOption(f"The list {table} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0]
        raise PreflightError(
            f"{table} cannot be read as a table: {said}. Fetch the list again."
        ) from error
    frame = frame.rename({name: name.strip().strip("\ufeff") for name in frame.columns})
    needed = ["Image", "Cellline", "in_trainset"]
    lacking = [name for name in needed if name not in frame.columns]
    if not {"Label_idx", "Label"} & set(frame.columns):
        lacking.append("Label_idx (or Label)")
    if lacking:
        raise PreflightError(
            f"{table} lacks {', '.join(lacking)}; it has {', '.join(frame.columns)}. "
            "Give the HPA challenge's list of public images, kaggle_2021.tsv."
        )
    frame = frame.with_columns(pl.all().fill_null("").str.strip_chars())
    odd = sorted({v for v in frame["in_trainset"] if v.lower() not in (*_TRUE, *_FALSE)})
    if odd:
        raise PreflightError(
            f"{table}: in_trainset is True or False, not {odd[0]!r}. Correct the list."
        )
    return frame


def _labels(frame: pl.DataFrame) -> list[frozenset[int]]:
    """The classes of each row; locations that are no class of the challenge are left out."""
    names = class_list(CLASSES).names
    if "Label_idx" in frame.columns:
        known = {str(index): index for index in range(len(names))}
        known |= {f"{index}.0": index for index in range(len(names))}
        texts, strict = frame["Label_idx"], True
    else:
        by_name = {name: index for index, name in enumerate(names)}
        known = {name.lower(): index for name, index in by_name.items()}
        known |= {a.lower(): by_name[name] for a, name in class_aliases(CLASSES).items()}
        texts, strict = frame["Label"], False
    found = {}
    for text in texts.unique():
        missing = text.lower() in ("", "nan", "none", "na")
        words = [] if missing else [w.strip().lower() for w in re.split(r"[|,;]", text)]
        odd = [word for word in words if word not in known]
        if strict and odd:
            raise PreflightError(
                f"Label_idx holds {odd[0]!r}; it is indices from 0 to {len(names) - 1} "
                "joined by |. Correct the list."
            )
        found[text] = frozenset(known[word] for word in words if word in known)
    return [found[text] for text in texts]


def _wanted(image: str, line: str, classes: frozenset[int], *, ids: str, base: str) -> Wanted | str:
    """A field of the list; why not where its address is of another kind."""
    parts = urlsplit(image)
    match = _STEM.fullmatch("/".join(parts.path.split("/")[-2:]))
    if match is None or parts.query or parts.fragment:
        return "The address does not end in {antibody}/{plate}_{well}_{field}."
    whole = parts.scheme in ("http", "https") and bool(parts.netloc)
    if not whole and (parts.scheme or image != match[0]):
        return "The address is neither whole nor {antibody}/{plate}_{well}_{field} alone."
    stem = image if whole and not base else f"{(base or ATLAS).rstrip('/')}/{match[0]}"
    antibody, field = match["antibody"], match["field"]
    site_id = field if ids == "field" else f"{antibody}_{field}"
    place = f"{antibody}/{field}" if ids == "field" else site_id
    return Wanted(site_id, antibody, stem, place, line, tuple(sorted(classes)))


def _indices(classes: tuple[str, ...]) -> frozenset[int]:
    names = class_list(CLASSES).names
    by_name = {name.lower(): index for index, name in enumerate(names)}
    for name in classes:
        if name.lower() not in by_name:
            raise BadOption(_unknown("class", name, list(names)))
    return frozenset(by_name[name.lower()] for name in classes)


def _unknown(what: str, name: str, known: list[str]) -> str:
    return f"No {what} is called {name!r}.{did_you_mean(name, known)} One of: {', '.join(known)}."
