"""The folder of the Kaggle HPA single-cell challenge 2021: `train.csv`, `train/`, `test/`.

Source: Human Protein Atlas, Single Cell Classification (Kaggle 2021). Each `{id}_{colour}.png` is
one grey channel, 8 or 16 bit: red = microtubules, green = the protein, blue = nucleus, yellow =
endoplasmic reticulum. Labels are integers 0 to 18 of the class list `hpa19`, joined by `|`; any
further column of `train.csv` (such as `Sample`) becomes metadata. The test part has no labels;
`sample_submission.csv` names its fields.

A folder of public images inside it, as `cellwise fetch hpa-public` makes one, belongs to the train
part: the column `Source` then says `challenge` or `public` of every field.
"""

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane, Problem
from cellwise.domain.plain_words import counted
from cellwise.errors import PreflightError
from cellwise.stages.read._tables import read_first_column, read_label_table
from cellwise.stages.read.layouts import hpa_public
from cellwise.stages.read.names import Named, match_names, share
from cellwise.store.stains import HPA_COLOURS
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.prepared_folder import SOURCES

_NAME = re.compile(r"(?P<id>.+)_(?P<channel>red|green|blue|yellow)", re.IGNORECASE)
_ENDINGS = (".png", ".tif", ".tiff", ".webp")
_DECLARED = 0.98
# Without train.csv the names alone say less than a well in them would.
_UNDECLARED = 0.7


@dataclass(frozen=True, slots=True)
class _Declared:
    """What `train.csv` says: label text by id, and further columns by id."""

    labels: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    listing, _ = _apart(listing)
    named, _ = match_names(listing, _NAME, endings=_ENDINGS)
    declared = _declared(listing.table("train.csv")) is not None
    colours = {name.get("channel").lower() for name in named}
    if not declared and colours != set(HPA_COLOURS):
        # Red, green and blue are the colours of anybody's stains.
        return None
    return share(len(named), listing, specific=_DECLARED if declared else _UNDECLARED)


def _arrange(listing: Listing) -> Arrangement:
    own, public = _apart(listing)
    if public is None:
        return _challenge(own)
    return _joined(_challenge(own), hpa_public.arrange(public))


def _apart(listing: Listing) -> tuple[Listing, Listing | None]:
    """The challenge's own files, and those of a folder of public images inside it.

    Such a folder has a table of its own, and most of its images are named as public ones.
    """
    train = listing.table("train.csv")
    places = {path.partition("/")[0] for path in listing.tables if "/" in path}
    for place in sorted(places) if train is not None and train.parent == listing.folder else ():
        inside = _part(listing, place, inside=True)
        if not inside.images or hpa_public.table_in(inside) is None:
            continue
        if 2 * hpa_public.fitting(inside) >= len(inside.images):
            return _part(listing, place, inside=False), inside
    return listing, None


def _part(listing: Listing, place: str, *, inside: bool) -> Listing:
    """The files in a folder of the folder, or all others."""
    images, tables = (
        tuple(path for path in paths if path.startswith(f"{place}/") == inside)
        for paths in (listing.images, listing.tables)
    )
    return dataclasses.replace(listing, images=images, tables=tables)


def _joined(challenge: Arrangement, public: Arrangement) -> Arrangement:
    """Both as one folder; public fields are of the train part, labelled by number as the others."""
    numbers = {name: str(n) for n, name in enumerate(class_list(challenge.classes).names)}
    labels = {
        site: "|".join(numbers[name] for name in text.split("|") if name)
        for site, text in (public.labels or {}).items()
    }
    sites = {plane.site_id for plane in public.planes}
    planes = tuple(
        dataclasses.replace(plane, part="train", colour=public.colour) for plane in public.planes
    )
    metadata = {p.site_id: {"Source": SOURCES[0]} for p in challenge.planes}
    metadata |= {site: {"Source": SOURCES[1]} for site in sites}
    for site, columns in [*challenge.metadata.items(), *public.metadata.items()]:
        metadata[site] = {**metadata.get(site, {}), **columns}
    return dataclasses.replace(
        challenge,
        planes=(*challenge.planes, *planes),
        unmatched=(*challenge.unmatched, *public.unmatched),
        labels={**(challenge.labels or {}), **labels},
        metadata=metadata,
        parts={**challenge.parts, **dict.fromkeys(sites, "train")},
        problems=(*challenge.problems, *public.problems),
        notes=(
            *challenge.notes,
            *public.notes,
            f"{counted(len(sites), 'public fields')} of {public.labels_file} belong to the train "
            "part; Metadata_Source tells them from the challenge's.",
        ),
    )


def _challenge(listing: Listing) -> Arrangement:
    named, rest = match_names(listing, _NAME, endings=_ENDINGS)
    table = listing.table("train.csv")
    declared = _declared(table) or _Declared()
    labels = declared.labels
    planes = tuple(_plane(name) for name in named)
    present = {plane.site_id for plane in planes}
    problems = [
        _absent("label_without_image", "train.csv", site_id)
        for site_id in labels
        if site_id not in present
    ]
    submission = listing.table("sample_submission.csv")
    tests = set(read_first_column(submission)) if submission is not None else set()
    problems += [
        _absent("declared_without_image", "sample_submission.csv", site_id)
        for site_id in sorted(tests - present)
    ]
    parts = {p.site_id: p.part or ("test" if p.site_id in tests else "train") for p in planes}
    return Arrangement(
        planes,
        tuple(rest),
        roles=HPA_COLOURS,
        labels={i: text for i, text in labels.items() if i in present} if labels else None,
        metadata=declared.metadata,
        parts=parts if labels or tests else {},
        classes="hpa19",
        labels_file=str(table) if labels else "",
        problems=tuple(problems),
    )


def _plane(name: Named) -> Plane:
    part = next((f.lower() for f in name.folders if f.lower() in ("train", "test")), "")
    folders = [f for f in name.folders if f.lower() != part]
    raw = "/".join((*folders, name.get("id")))
    return Plane(raw, raw, name.get("channel").lower(), name.path, part=part)


def _declared(table: Path | None) -> _Declared | None:
    """What the file says of each field; None where it is missing or is not the challenge's."""
    if table is None:
        return None
    read = read_label_table(table)
    names = {column.lower(): column for column in read.columns}
    if "id" not in names or "label" not in names:
        return None
    key, label = names["id"], names["label"]
    found = _Declared()
    for row in read.rows:
        site_id, text = row[key], row[label]
        if found.labels.setdefault(site_id, text) != text:
            raise PreflightError(f"{table} labels {site_id!r} twice and differently. Keep one row.")
        further = {n: value for n, value in row.items() if n not in (key, label) and value}
        if further:
            found.metadata.setdefault(site_id, further)
    return found


def _absent(code: str, file: str, site_id: str) -> Problem:
    return Problem(
        code,
        file,
        f"{site_id!r} has no image in the folder.",
        "Add the image, or remove the row.",
        set_aside=False,
    )
