"""The prepared form `hpa-512`: one image of four channels per field, with `train_all.csv`.

Source: the HPA 2021 system AllDataAreExt & Galixir (9th). `{train,test}/{ID}.png` is stored as red,
green, blue and transparency; in that order these are the nucleus, the protein, the microtubules and
the endoplasmic reticulum (their writer turned red and blue around). `train_all.csv` has `ID`,
`Label` (indices of `hpa19` joined by `|`) and `is_ext`, 1 for public images, which becomes the
column `Source`. Masks lie in `{train,test}_cell_mask/{ID}.npz`: give that folder as `--masks`.
"""

from pathlib import PurePosixPath

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane, Problem
from cellwise.errors import PreflightError
from cellwise.stages.read._tables import LabelTable, read_label_table
from cellwise.store.stains import HPA_COLOURS
from cellwise.store.worlds.prepared_folder import ORDER, SOURCES, TABLE

_SPECIFIC = 0.99
_NEEDED = ("ID", "Label", "is_ext")
_PARTS = ("train", "test")


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    table = _table(listing)
    fitting = sum(_part(path) is not None for path in listing.images)
    if table is None or 2 * fitting < len(listing.images):
        return None
    return _SPECIFIC * fitting / len(listing.images)


def _arrange(listing: Listing) -> Arrangement:
    table = _table(listing)
    rows = {row["ID"]: row for row in table.rows} if table else {}
    if table is not None and len(rows) < len(table.rows):
        raise PreflightError(f"{table.path} names an ID twice. Keep one row for each.")
    planes, rest, problems, parts = [], [], [], {}
    for path in listing.images:
        part, site_id = _part(path), PurePosixPath(path).stem
        header = listing.header(path)
        if part is None or (header is not None and not header.transparent):
            rest.append(path)
            continue
        parts[site_id] = part
        planes += [
            Plane(site_id, site_id, colour, path, plane=place, part=part)
            for place, colour in enumerate(ORDER)
        ]
    for site_id in rows:
        if site_id not in parts:
            problems.append(_absent(site_id))
    return Arrangement(
        tuple(planes),
        tuple(rest),
        roles=HPA_COLOURS,
        labels={i: row["Label"] for i, row in rows.items() if i in parts} if rows else None,
        metadata={i: _metadata(row) for i, row in rows.items() if i in parts},
        parts=parts,
        classes="hpa19",
        labels_file=str(table.path) if table and rows else "",
        problems=(*(table.problems if table else ()), *problems),
    )


def _metadata(row: dict[str, str]) -> dict[str, str]:
    rest = {name: value for name, value in row.items() if name not in _NEEDED and value}
    return {**rest, "Source": SOURCES[row["is_ext"].lower() in ("1", "1.0", "true")]}


def _part(path: str) -> str | None:
    pure = PurePosixPath(path)
    fits = pure.parent.name in _PARTS and pure.suffix.lower() == ".png"
    return pure.parent.name if fits else None


def _table(listing: Listing) -> LabelTable | None:
    file = listing.table(TABLE)
    table = read_label_table(file) if file is not None else None
    return table if table is not None and set(_NEEDED) <= set(table.columns) else None


def _absent(site_id: str) -> Problem:
    return Problem(
        "label_without_image",
        TABLE,
        f"{site_id!r} has no image in the folder.",
        "Add the image, or remove the row.",
        set_aside=False,
    )
