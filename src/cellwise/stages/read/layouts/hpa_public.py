"""Public Human Protein Atlas images: `{plate}_{well}_{field}_{colour}.jpg`.

Source: images.proteinatlas.org, as the HPA challenges' public lists name them. Each JPEG holds one
stain in its own colour, so the brightest of the three colours is the signal (yellow lies in red and
green). The site is `{plate}_{well}_{field}`; a numbered folder above it is the antibody. Labels
come from `labels.csv` or `kaggle_2021.tsv` inside the folder, by location names or `Label_idx`;
locations without a class of `hpa19` are left out, as the challenge's own list does.
"""

import re
from pathlib import Path

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane, Problem
from cellwise.domain.records import normalise_well
from cellwise.stages.read._tables import LabelTable, read_label_table
from cellwise.stages.read.names import Named, match_names, share
from cellwise.store.stains import HPA_COLOURS
from cellwise.store.worlds.class_lists import class_aliases, class_list

_NAME = re.compile(
    r"(?P<raw>(?:(?P<antibody>\d+)_)?(?P<plate>\d+)_(?P<well>[A-H]\d{1,2})_(?P<field>[0-9a-z]+))"
    r"_(?P<channel>red|green|blue|yellow)",
    re.IGNORECASE,
)
# The antibody's number where a plate's stands behind it.
_WITHOUT = re.compile(r"^\d+_(?=\d+_[a-h]\d)")
_SPECIFIC = 0.97
_CLASSES = "hpa19"
_KEYS = ("id", "image", "site_id")
_RENAMED = {"hpa_antibody_id": "Antibody", "antibody": "Antibody", "cellline": "CellLine"}


def build() -> Layout:
    """Make the layout."""
    return Layout(
        lambda listing: share(fitting(listing), listing, specific=_SPECIFIC),
        arrange,
    )


def fitting(listing: Listing) -> int:
    """How many of the images are named as public ones."""
    return len(match_names(listing, _NAME)[0])


def table_in(listing: Listing) -> Path | None:
    """The table that says what public images show."""
    return listing.table("labels.csv", "kaggle_2021.tsv", "kaggle_2021.csv")


def arrange(listing: Listing) -> Arrangement:
    """Which file is what; see the module."""
    named, rest = match_names(listing, _NAME)
    planes = tuple(_plane(name) for name in named)
    headers = (listing.header(plane.path) for plane in planes)
    colour = any(header is not None and header.colour for header in headers)
    file = table_in(listing)
    table = read_label_table(file) if file is not None else None
    columns = _columns(table) if table is not None else None
    if table is None or columns is None:
        return Arrangement(planes, tuple(rest), roles=HPA_COLOURS, colour=colour, classes=_CLASSES)
    return _labelled(table, *columns, planes=planes, rest=rest, colour=colour)


def _labelled(
    table: LabelTable,
    key: str,
    label: str,
    *,
    planes: tuple[Plane, ...],
    rest: list[str],
    colour: bool,
) -> Arrangement:
    sites = {plane.site_id.lower(): plane.site_id for plane in planes}
    labels: dict[str, str] = {}
    metadata: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    left_out: set[str] = set()
    for row in table.rows:
        # Public lists give a whole address, whose last part names the field; ids of some systems
        # begin with the antibody's number.
        last = row[key].rsplit("/", 1)[-1].lower()
        found = sites.get(last) or sites.get(row[key].lower()) or sites.get(_WITHOUT.sub("", last))
        if found is None:
            problems.append(_absent(table, row[key]))
            continue
        labels[found], unknown = _mapped(row[label])
        left_out |= unknown
        rest_of_row = {n: v for n, v in row.items() if n not in (key, label) and v}
        metadata[found] = {_RENAMED.get(n.lower(), n): v for n, v in rest_of_row.items()}
    note = f"Locations without a class of {_CLASSES} are left out: {', '.join(sorted(left_out))}."
    return Arrangement(
        planes,
        tuple(rest),
        roles=HPA_COLOURS,
        colour=colour,
        labels=labels,
        metadata=metadata,
        classes=_CLASSES,
        labels_file=str(table.path),
        problems=(*table.problems, *problems),
        notes=(note,) if left_out else (),
    )


def _plane(name: Named) -> Plane:
    folder = name.folders[-1] if name.folders else ""
    antibody = name.get("antibody") or (folder if folder.isdecimal() else "")
    well = name.get("well")
    metadata = {
        "Plate": name.get("plate"),
        "Well": normalise_well(well) or well,
        "Site": name.get("field"),
        **({"Antibody": antibody} if antibody else {}),
    }
    raw = name.get("raw")
    site_id = raw.removeprefix(f"{name.get('antibody')}_") if name.get("antibody") else raw
    return Plane(site_id, raw, name.get("channel").lower(), name.path, metadata=metadata)


def _columns(table: LabelTable) -> tuple[str, str] | None:
    """Key and label column; None where the table is not of this kind."""
    names = {column.lower(): column for column in table.columns}
    key = next((names[name] for name in _KEYS if name in names), None)
    label = next((names[n] for n in ("label_idx", "names", "label", "labels") if n in names), None)
    return (key, label) if key and label else None


def _mapped(text: str) -> tuple[str, set[str]]:
    """Class names for location names or indices, and the locations that have no class."""
    classes = class_list(_CLASSES)
    known = {name.lower(): name for name in classes.names}
    known |= {alias.lower(): name for alias, name in class_aliases(_CLASSES).items()}
    known |= {str(index): name for index, name in enumerate(classes.names)}
    words = [word.strip() for word in re.split(r"[|,;]", text) if word.strip()]
    names = dict.fromkeys(known[word.lower()] for word in words if word.lower() in known)
    return "|".join(names), {word for word in words if word.lower() not in known}


def _absent(table: LabelTable, text: str) -> Problem:
    return Problem(
        "label_without_image",
        table.path.name,
        f"{text!r} has no image in the folder.",
        "Add the image, or remove the row.",
        set_aside=False,
    )
