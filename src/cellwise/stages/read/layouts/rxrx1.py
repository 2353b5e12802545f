"""The RxRx1 folders: `{experiment}/Plate{p}/{well}_s{site}_w{channel}.png`.

Source: Recursion's RxRx1 (Kaggle 2019, `train/` and `test/` with `train.csv`, `train_controls.csv`,
`test.csv`, `test_controls.csv`) and its later public release (`images/` with `metadata.csv`). w1 to
w6 are nuclei, endoplasmic reticulum, actin, nucleoli and RNA, mitochondria, Golgi. The label is the
siRNA. A plate's number counts only within its experiment, so `Plate` is `{experiment}_{p}`. The
later release pads numbers in its table and not in its paths, or the other way round; either way
rows find their images.
"""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane, Problem
from cellwise.domain.screens.names import unpadded
from cellwise.stages.read._tables import LabelTable
from cellwise.stages.read.layouts._rxrx1_tables import (
    IN_NAMES,
    Said,
    absent,
    columns_of,
    contradiction,
    differing,
    label_of,
    misplaced,
    other_place,
    part_of,
    role_of,
    row_key,
    tables_of,
)
from cellwise.stages.read.names import Named, match_names, share

_NAME = re.compile(r"(?P<well>[A-P]\d{2})_s(?P<site>\d+)_w(?P<channel>[1-6])", re.IGNORECASE)
_PLATE = re.compile(r"Plate(?P<plate>\d+)", re.IGNORECASE)
_SPECIFIC = 0.99
_ROLES = {
    "w1": "nucleus",
    "w2": "er",
    "w3": "actin",
    "w4": "rna",
    "w5": "mitochondria",
    "w6": "golgi",
}
# Before keys without zeros, which no name begins with.
_LOOSE = "/"


def build() -> Layout:
    """Make the layout."""
    return Layout(
        lambda listing: share(len(_named(listing)[0]), listing, specific=_SPECIFIC), _arrange
    )


def _arrange(listing: Listing) -> Arrangement:
    named, rest = _named(listing)
    planes = tuple(_plane(name) for name in named)
    sites = _by_key(sorted({plane.site_id for plane in planes}))
    labels: dict[str, str] = {}
    metadata: dict[str, Mapping[str, str]] = {}
    parts: dict[str, str] = {}
    tables, unread = tables_of(listing)
    rows_of, problems = _rows_of(sites, tables)
    problems = [*unread, *problems]
    for site_id, said in rows_of.items():
        table, row = said[0]
        unlike = differing(said)
        if unlike:
            problems.append(contradiction(table, site_id, *unlike))
        labels[site_id] = "" if unlike else label_of(row)
        metadata[site_id] = {**columns_of(row), **role_of(table, row)}
        part = part_of(table, row)
        if part in ("train", "test"):
            parts[site_id] = part
    planes = tuple(_typed(plane, metadata.get(plane.site_id, {})) for plane in planes)
    return Arrangement(
        planes,
        tuple(rest),
        roles=_ROLES,
        labels=labels if tables else None,
        metadata=metadata,
        parts=parts,
        labels_file=", ".join(str(table.path) for table in tables),
        problems=tuple(problems),
        labels_hint=_other_labels(tables, sites) if len(set(labels.values())) == 1 else "",
    )


def _rows_of(
    sites: Mapping[str, Sequence[str]], tables: Sequence[LabelTable]
) -> tuple[dict[str, list[Said]], list[Problem]]:
    """The rows that speak of each site; those written as it is leave no room for B2 beside B02."""
    exact: dict[str, list[Said]] = defaultdict(list)
    loose: list[Said] = []
    problems: list[Problem] = []
    names = {site_id for named in sites.values() for site_id in named}
    experiments = frozenset(unpadded(name.rsplit("_", 3)[0]) for name in names)
    for table in tables:
        problems += table.problems
        for row in table.rows:
            named = sites.get(row_key(row).lower()) or ()
            other = other_place(row, _found(sites, row_key(row)), experiments)
            if other:
                problems.append(misplaced(table, row_key(row), other))
                continue
            for site_id in named:
                exact[site_id].append((table, row))
            if not named:
                loose.append((table, row))
    also: dict[str, list[Said]] = defaultdict(list)
    for said in loose:
        found = [one for one in _found(sites, row_key(said[1])) if one not in exact]
        for site_id in found:
            also[site_id].append(said)
        if not found:
            problems.append(absent(said[0], row_key(said[1])))
    return {**exact, **also}, problems


def _typed(plane: Plane, told: Mapping[str, str]) -> Plane:
    """With the cell type of the table where there is one: that in the name is a guess."""
    kind = told.get("CellType")
    if not kind or kind == plane.metadata["CellType"]:
        return plane
    return replace(plane, metadata={**plane.metadata, "CellType": kind})


def _other_labels(tables: list[LabelTable], sites: Mapping[str, Sequence[str]]) -> str:
    """Which columns could hold the classes where the siRNA is one and the same everywhere."""
    for table in tables:
        rows = [row for row in table.rows if _found(sites, row_key(row))]
        places = {*IN_NAMES, "well_type", "sirna", "sirna_id"}
        counts = {n: Counter(row[n] for row in rows) for n in table.columns if n not in places}
        # A class is learned and tested on two fields or more.
        telling = [n for n, c in counts.items() if len(c) > 1 and min(c.values()) > 1]
        if telling:
            return (
                f"The labels are the siRNA of {table.path}, the same in all fields. If "
                f"{' or '.join(telling)} is what tells them apart: --labels "
                f"{shlex.quote(str(table.path))} --set read.label={telling[0]}"
            )
    return ""


def _by_key(site_ids: Sequence[str]) -> dict[str, list[str]]:
    """The sites that a row may mean by the name of a site or of a well, as written and unpadded."""
    sites: dict[str, list[str]] = defaultdict(list)
    loose: dict[str, list[str]] = defaultdict(list)
    experiments = {site_id.rsplit("_", 3)[0] for site_id in site_ids}
    alike = Counter(map(unpadded, experiments))
    for site_id in site_ids:
        # Experiments 1 and 01 side by side are two.
        alone = alike[unpadded(site_id.rsplit("_", 3)[0])] == 1
        for key in (site_id, site_id.rsplit("_", 1)[0]):
            sites[key.lower()].append(site_id)
            if alone:
                loose[_LOOSE + unpadded(key)].append(site_id)
    return {**loose, **sites}


def _found(sites: Mapping[str, Sequence[str]], key: str) -> Sequence[str]:
    return sites.get(key.lower()) or sites.get(_LOOSE + unpadded(key)) or ()


def _named(listing: Listing) -> tuple[list[Named], list[str]]:
    named, rest = match_names(listing, _NAME)
    fitting = [n for n in named if len(n.folders) > 1 and _PLATE.fullmatch(n.folders[-1])]
    kept = {name.path for name in fitting}
    return fitting, sorted([*rest, *(name.path for name in named if name.path not in kept)])


def _plane(name: Named) -> Plane:
    experiment, folder = name.folders[-2:]
    match = _PLATE.fullmatch(folder)
    assert match is not None
    number, well, site = match["plate"], name.get("well").upper(), name.get("site")
    above = [folder.lower() for folder in name.folders[:-2]]
    metadata = {
        "Plate": f"{experiment}_{number}",
        "Well": well,
        "Site": site,
        "Experiment": experiment,
        "PlateNumber": number,
        "CellType": experiment.rsplit("-", 1)[0],
    }
    site_id = f"{experiment}_{number}_{well}_{site}"
    part = next((folder for folder in above if folder in ("train", "test")), "")
    return Plane(
        site_id, site_id, f"w{name.get('channel')}", name.path, part=part, metadata=metadata
    )
