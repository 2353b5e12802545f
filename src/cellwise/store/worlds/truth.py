"""Truth folders: what every cell of a field really is, for worlds made or cells known.

`masks/<site_id>_cells.tif` and `_nuclei.tif`; `cells.csv` with `site_id,cell_id,classes,ignored`
and free columns (`classes` = `a|b` by name, empty for a cell that shows nothing); `sites.csv` (one
row per field, free); `world.json` (how the world was made). Everything but the masks may be absent.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import tifffile

from cellwise.domain.records import Masks
from cellwise.domain.screens.wells import WELL_TYPES, well_types
from cellwise.errors import FormatError
from cellwise.store.atomic import write_text, writing
from cellwise.store.run.folder import read_json
from cellwise.store.run.masks import mask_path, narrow, read_labels

CELL_COLUMNS = ("site_id", "cell_id", "classes", "ignored")
FORMAT_VERSION = 1
# So much of a header is said: characters of a name, and names.
_NAME, _NAMES = 40, 12
_LISTS = ("classes", "given")
_END = "_cells.tif"
_HIGHEST = 2**31 - 1
_PARTS = ("train", "test", "unlabelled", "")
_SAID = ", ".join(_PARTS[:-1])
# Wide letters: every second byte of plain text is zero, whether a mark says so or not.
_WIDE = (b"\xff\xfe", b"\xfe\xff")
# As `domain.records` makes them: an id is part of a file's name.
_ID = r"^[A-Za-z0-9._~-]+$"


@dataclass(frozen=True, slots=True)
class Truth:
    """A truth folder that was read; masks are read field by field when asked for.

    Args:
        root: The folder that holds `masks`.
        cells: Rows of `cells.csv`, sorted by `site_id`, `cell_id`: `classes` is a list of names
            (empty for a cell that shows nothing), `ignored` a bool, free columns are text. None
            where there is no such file.
        sites: Rows of `sites.csv`, sorted by `site_id`; `classes` and `given` are lists of names.
            None where there is no such file.
        world: Content of `world.json`, empty where there is none.
    """

    root: Path
    cells: pl.DataFrame | None
    sites: pl.DataFrame | None
    world: dict[str, Any] = field(default_factory=dict)

    def site_ids(self) -> list[str]:
        """Every field that the truth knows, sorted, also those without a cell."""
        found = {path.name.removesuffix(_END) for path in (self.root / "masks").glob("*" + _END)}
        for table in (self.cells, self.sites):
            if table is not None:
                found.update(table["site_id"].to_list())
        return sorted(found)

    def labels(self, site_id: str) -> npt.NDArray[Any] | None:
        """The label image of the cells of a field, None where there is none."""
        path = mask_path(self.root / "masks", site_id, "cells")
        return read_labels(path) if path.is_file() else None

    def masks(self, site_id: str) -> Masks | None:
        """Both label images of a field; nuclei are empty where only cells are known."""
        cells = self.labels(site_id)
        if cells is None:
            return None
        path = mask_path(self.root / "masks", site_id, "nuclei")
        return Masks(cells, read_labels(path) if path.is_file() else np.zeros_like(cells))


def write_truth_masks(folder: Path, site_id: str, masks: Masks) -> None:
    """Write both label images of a field; `folder` is the truth folder itself.

    They are not synced one by one: worlds are made under a temporary name and renamed when whole.
    """
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for what, labels in (("nuclei", masks.nuclei), ("cells", masks.cells)):
        path = mask_path(folder / "masks", site_id, what)
        tifffile.imwrite(path, narrow(labels), compression="zlib")


def write_truth_cells(folder: Path, frame: pl.DataFrame) -> None:
    """Write `cells.csv`, sorted by field and cell, the four fixed columns first.

    Args:
        folder: The truth folder itself.
        frame: `classes` as lists of names or as text `a|b`, `ignored` as bool or 0/1; further
            columns follow in given order (bools become 0/1, lists are joined by `|`).

    Raises:
        FormatError: A fixed column is missing.
    """
    _write(folder / "cells.csv", frame, CELL_COLUMNS, ("site_id", "cell_id"))


def write_truth_sites(folder: Path, frame: pl.DataFrame) -> None:
    """Write `sites.csv`, sorted by `site_id`, which comes first; other columns are free."""
    _write(folder / "sites.csv", frame, ("site_id",), ("site_id",))


def write_world(folder: Path, content: dict[str, Any]) -> None:
    """Write `world.json`, names sorted; `format` is added where it is not given."""
    whole = {"format": FORMAT_VERSION, **content}
    text = json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    write_text(folder / "world.json", text + "\n")


def read_truth(folder: Path) -> Truth:
    """Read a truth folder, given itself or the folder that holds it as `truth`.

    Raises:
        FormatError: There is no truth, or a file of it is broken: file, line and remedy are named.
    """
    root = next((p for p in (folder / "truth", folder) if _is_truth(p)), None)
    if root is None:
        raise FormatError(
            f"{folder} holds no truth: neither masks/<site_id>_cells.tif nor cells.csv nor "
            "sites.csv is there. Give the truth folder or the folder of the data set that holds it."
        )
    world = read_json(root / "world.json") if (root / "world.json").is_file() else {}
    version = world.get("format", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise FormatError(
            f"{root / 'world.json'} was written by a newer cellwise (format {version!r}). Update."
        )
    for name in ("classes", "left_out"):
        listed = world.get(name, [])
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            raise FormatError(f"{root / 'world.json'}: {name} is a list of names. Make it again.")
    return Truth(root, _read_cells(root / "cells.csv"), _read_sites(root / "sites.csv"), world)


def read_text_table(path: Path, needed: Iterable[str]) -> pl.DataFrame:
    """A CSV with every column as text, empty for nothing, and `line` = the line in the file.

    Raises:
        FormatError: The file is empty, no CSV, not UTF-8, or misses a column.
    """
    _refuse_other_text(path)
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        if not path.exists():
            raise
        what = "it is empty" if path.stat().st_size == 0 else str(error).splitlines()[0]
        raise FormatError(f"{path} cannot be read as a table: {what}. Write it again.") from error
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        # A file without line ends is one header.
        found = ", ".join(name[:_NAME] for name in frame.columns[:_NAMES])
        raise FormatError(
            f"{path}: column {', '.join(missing)} is missing (found: {found}). "
            "Write the header as documented."
        )
    # Nobody needs a column of that name, and ours is said in messages.
    own = frame.drop("line", strict=False)
    return own.with_columns(pl.all().fill_null("")).with_row_index("line", offset=2)


def _refuse_other_text(path: Path) -> None:
    """Refuse UTF-16, and lines that end as on old Macs: either looks like one strange header.

    Raises:
        FormatError: It is such a text.
    """
    if not path.is_file():
        return
    with path.open("rb") as handle:
        start = handle.read(4096)
    if start.startswith(_WIDE) or b"\0" in start[:2]:
        raise FormatError(f"{path} is text in UTF-16. Save it as CSV in UTF-8.")
    header = start.removeprefix(b"\xef\xbb\xbf").split(b"\r")[0].decode("ascii", "replace")
    # Compressed tables are no text.
    if b"\r" in start and b"\n" not in start and header.isprintable():
        raise FormatError(f"{path} ends its lines with CR alone. Save it with LF at their ends.")


def _is_truth(root: Path) -> bool:
    named = any((root / name).is_file() for name in ("cells.csv", "sites.csv", "world.json"))
    return named or any((root / "masks").glob("*" + _END))


def _write(path: Path, frame: pl.DataFrame, first: tuple[str, ...], sort: tuple[str, ...]) -> None:
    missing = [name for name in first if name not in frame.columns]
    if missing:
        raise FormatError(f"{path.name}: the frame misses {missing}.")
    rest = [name for name in frame.columns if name not in first]
    ordered = frame.select([*first, *rest]).sort(sort)
    changed = []
    for name, kind in ordered.schema.items():
        if isinstance(kind, pl.List):
            changed.append(pl.col(name).list.join("|").fill_null(""))
        elif kind == pl.Boolean:
            changed.append(pl.col(name).cast(pl.Int8))
    with writing(path) as partial:
        ordered.with_columns(changed).write_csv(partial)


def _read_cells(path: Path) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    frame = read_text_table(path, CELL_COLUMNS)
    number = pl.col("cell_id").cast(pl.Int64, strict=False)
    _refuse(path, frame, ~pl.col("site_id").str.contains(_ID), "this is no site_id")
    possible = number.is_between(1, _HIGHEST).fill_null(value=False)
    _refuse(path, frame, ~possible, "cell_id is no whole number from 1")
    _refuse(path, frame, ~pl.col("ignored").is_in(["0", "1"]), "ignored is neither 0 nor 1")
    twice = pl.struct("site_id", "cell_id").is_duplicated()
    _refuse(path, frame, twice, "this cell is listed twice")
    return (
        frame.with_columns(
            number.cast(pl.Int32), _names("classes"), (pl.col("ignored") == "1").alias("ignored")
        )
        .drop("line")
        .sort("site_id", "cell_id")
    )


def _read_sites(path: Path) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    frame = read_text_table(path, ("site_id",))
    _refuse(path, frame, ~pl.col("site_id").str.contains(_ID), "this is no site_id")
    _refuse(path, frame, pl.col("site_id").is_duplicated(), "this field is listed twice")
    if "part" in frame.columns:
        # A labelled field under another word would count as a new one.
        frame = frame.with_columns(pl.col("part").str.strip_chars().str.to_lowercase())
        _refuse(path, frame, ~pl.col("part").is_in(_PARTS), f"part is none of {_SAID}, or empty")
    if "well_type" in frame.columns:
        kinds = well_types(frame.select(pl.col("well_type").alias("Metadata_WellType")))
        said = pl.col("well_type").str.strip_chars() != ""
        frame = frame.with_columns(kinds.alias("kind of well"))
        what = f"well_type is none of {', '.join(WELL_TYPES)}"
        _refuse(path, frame, said & pl.col("kind of well").is_null(), what)
        kind = pl.col("kind of well").fill_null("").alias("well_type")
        frame = frame.with_columns(kind).drop("kind of well")
    lists = [_names(name) for name in _LISTS if name in frame.columns]
    return frame.with_columns(lists).drop("line").sort("site_id")


def _names(column: str) -> pl.Expr:
    """`a|b` as a list of names, empty for empty text."""
    parts = pl.col(column).str.split("|").list.eval(pl.element().str.strip_chars())
    return parts.list.eval(pl.element().filter(pl.element() != "")).alias(column)


def _refuse(path: Path, frame: pl.DataFrame, bad: pl.Expr, what: str) -> None:
    rows = frame.filter(bad)
    if rows.height:
        raise FormatError(
            f"{path}, line {rows['line'][0]}: {what} ({rows.height} such rows). "
            "Correct the row, or make the truth again."
        )
