"""Versioned Parquet tables: written whole, sorted, with the format version in the file.

Vector columns (`fixed_size_list<float32>[classes]`) carry their class names in the schema metadata.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cellwise.domain.tables import FORMAT, TableKind
from cellwise.errors import FormatError
from cellwise.store.atomic import writing

_ARROW = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "list<string>": pa.list_(pa.string()),
    "list<int32>": pa.list_(pa.int32()),
}


def write_table(
    path: Path,
    kind: TableKind,
    frame: pl.DataFrame,
    *,
    classes: Sequence[str] = (),
    marks: Mapping[str, str] | None = None,
) -> None:
    """Write `frame` as a table of this kind: columns cast and ordered, rows sorted.

    Args:
        path: The Parquet file.
        kind: Fixes names, types and sort order; missing columns are an error.
        frame: The rows; columns beyond the kind's must be allowed by it and follow in given order.
        classes: Names along the vector columns, where the kind has any.
        marks: What else the file says of itself, as text by name in its schema metadata.

    Raises:
        FormatError: A column is missing or not part of this kind.
    """
    missing = [name for name in kind.columns if name not in frame.columns]
    extra = [name for name in frame.columns if name not in kind.columns]
    if missing or (extra and not kind.open):
        raise FormatError(f"{path.name}: table {kind.name} misses {missing}, has unknown {extra}.")
    ordered = frame.select([*kind.columns, *extra]).sort(kind.sort, nulls_last=False)
    table = ordered.to_arrow()
    schema = stored_schema(kind, ordered, classes=classes)
    if marks:
        schema = schema.with_metadata({**schema.metadata, **marks})
    with writing(path) as partial:
        pq.write_table(table.cast(schema), partial, compression="zstd")


def stored_schema(
    kind: TableKind, frame: pl.DataFrame, *, classes: Sequence[str] = ()
) -> pa.Schema:
    """The schema of a stored table: the kind's columns, then those of `frame` beyond them."""
    fixed = [pa.field(n, arrow_type(t, len(classes))) for n, t in kind.columns.items()]
    extra = [name for name in frame.columns if name not in kind.columns]
    rest = [_plain(column) for column in frame.select(extra).to_arrow().schema] if extra else []
    marks = {"cellwise_format": str(FORMAT), "cellwise_table": kind.name}
    if classes:
        marks["cellwise_classes"] = json.dumps(list(classes))
    return pa.schema([*fixed, *rest], metadata=marks)


def read_table(
    path: Path, kind: TableKind, *, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """Read a table, refusing files of another kind or a newer format.

    Args:
        path: The Parquet file.
        kind: What it must hold.
        columns: Only these are read, in this order; None for all.

    Raises:
        FormatError: The file is torn, of another kind, lacks one of the columns, or was written by
            a newer cellwise.
    """
    file = _open(path, kind)
    if columns is None:
        frame = pl.from_arrow(file.read())
    else:
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise FormatError(f"{path} has no column {missing[0]!r}. Let its step run again.")
        # By path: asking for `a` also gives a column called `a.b`.
        frame = pl.from_arrow(file.read(columns=list(columns)).select(list(columns)))
    assert isinstance(frame, pl.DataFrame)
    return frame


def rows_of_sites(
    path: Path, kind: TableKind, sites: Sequence[str], *, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of some sites out of a table that is sorted by site; little else is read.

    Raises:
        FormatError: The file is torn, of another kind, or written by a newer cellwise.
    """
    # Imported here: it brings pandas, which no other step of most commands needs.
    import pyarrow.dataset as ds

    schema = _open(path, kind).schema_arrow
    wanted = list(columns) if columns is not None else schema.names
    column = ds.field("site_id")
    try:
        chosen = column.isin(list(sites))
        if sites:
            chosen = (column >= min(sites)) & (column <= max(sites)) & chosen
        table = ds.dataset(path, format="parquet").to_table(columns=wanted, filter=chosen)
    except (pa.ArrowInvalid, OSError) as error:
        raise FormatError(f"{path} cannot be read as a table: {error}") from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def column_names(path: Path, kind: TableKind) -> tuple[str, ...]:
    """The columns of a table, in order; no row is read.

    Raises:
        FormatError: As `read_table`.
    """
    return tuple(_open(path, kind).schema_arrow.names)


def read_classes(path: Path, kind: TableKind) -> tuple[str, ...]:
    """The class names along the vector columns of a table."""
    marks = _open(path, kind).schema_arrow.metadata or {}
    return tuple(json.loads(marks.get(b"cellwise_classes", b"[]")))


def empty_frame(kind: TableKind, *, n_classes: int = 0) -> pl.DataFrame:
    """A frame without rows that has the kind's columns."""
    schema = pa.schema([pa.field(n, arrow_type(t, n_classes)) for n, t in kind.columns.items()])
    # Schema.empty_table would import pandas.
    frame = pl.from_arrow(pa.Table.from_batches([], schema=schema))
    assert isinstance(frame, pl.DataFrame)
    return frame


def arrow_type(text: str, n_classes: int) -> pa.DataType:
    """The Arrow type for a type of `domain.tables`; vectors are as long as the class list."""
    return pa.list_(pa.float32(), n_classes) if text == "vector" else _ARROW[text]


def _plain(column: pa.Field) -> pa.Field:
    """The column with Arrow's 32-bit text and list types, which every reader knows."""
    kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    elif pa.types.is_large_list(kind):
        kind = pa.list_(_plain(kind.value_field).type)
    return pa.field(column.name, kind)


def _open(path: Path, kind: TableKind) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        if not path.exists():
            raise
        raise FormatError(f"{path} cannot be read as a table: {error}") from error
    marks = file.schema_arrow.metadata or {}
    name = marks.get(b"cellwise_table", b"").decode()
    version = int(marks.get(b"cellwise_format", b"0"))
    if name != kind.name:
        raise FormatError(f"{path} holds a table of kind {name or 'unknown'!r}, not {kind.name!r}.")
    if version > FORMAT:
        raise FormatError(f"{path} was written by a newer cellwise (format {version} > {FORMAT}).")
    return file
