"""Opens a stranger's file of embeddings: Parquet, `.npz`, `.npy` with `.csv`, or `.h5ad`.

Every form gives a table of keys, one row per vector, and a function that reads some of the vectors:
those of a `.npy` are memory-mapped, those of a Parquet or `.h5ad` file are read in parts, a `.npz`
is held in memory.

Source: `obsm` and `X` of AnnData (Virshup et al., Nat Biotechnol 41, 604, 2023).
"""

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cellwise.errors import PreflightError
from cellwise.store.embeddings.columns import (
    BOTH,
    SITE,
    Named,
    keys_of,
    refuse_strays,
    vector_columns,
)

Floats = npt.NDArray[np.floating[Any]]
Read = Callable[[npt.NDArray[np.int64]], Floats]

ENDINGS = (".parquet", ".npz", ".npy", ".csv", ".h5ad")
_VECTORS = ("vectors", "vector", "embeddings", "embedding", "features", "x")
_TORN = (OSError, ValueError, EOFError, KeyError, pa.ArrowException, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Brought:
    """An opened file.

    Args:
        path: The file.
        keys: One row per vector: `site` as the file writes it, `cell` (null where the vectors are
            of whole sites), and those of `columns.CHECKS` that the file has.
        length: Numbers in a vector.
        read: Rows, rising, to their vectors `[n, number]`.
    """

    path: Path
    keys: pl.DataFrame
    length: int
    read: Read

    @property
    def unit(self) -> str:
        """`cell`, or `site` where no cell is named."""
        return "cell" if self.keys["cell"].null_count() < len(self.keys) else "site"


def open_file(path: Path, named: Named) -> Brought:
    """Open a file and check its shape; vectors are read later.

    Raises:
        PreflightError: It is missing, torn, of no known form, holds vectors of two lengths or none,
            a key twice or an empty one, or it is not clear which column is which.
    """
    if not path.is_file():
        raise PreflightError(f"There is no file of embeddings {path}.")
    openers = {".parquet": _parquet, ".npz": _npz, ".npy": _npy, ".csv": _npy, ".h5ad": _h5ad}
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise PreflightError(f"{path}: embeddings are one of {', '.join(ENDINGS)}.")
    try:
        table, length, read = opener(path, named)
    except PreflightError:
        raise
    except _TORN as error:
        raise PreflightError(f"{path} cannot be read as embeddings: {error}") from error
    keys = keys_of(path, table, named)
    if keys.is_empty() or not length:
        raise PreflightError(f"{path} holds no embeddings.")
    twice = keys.filter(keys.select("site", "cell").is_duplicated())
    if twice.height:
        site, cell = twice.row(0)[:2]
        which = f"site {site}" if cell is None else f"cell {cell} of {site}"
        raise PreflightError(f"{path}: {which} is there twice. Keep one row of each.")
    return Brought(path, keys, length, read)


def _parquet(path: Path, named: Named) -> tuple[pl.DataFrame, int, Read]:
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    lists = [f.name for f in schema if _is_list(f.type)]
    numbers = [f.name for f in schema if pa.types.is_floating(f.type)]
    columns = vector_columns(path, lists, numbers, named.vector)
    refuse_strays(path, columns, [f.name for f in schema if f.name not in numbers])
    rest = [f.name for f in schema if f.name not in columns and not _is_list(f.type)]
    table = pl.from_arrow(file.read(columns=rest))
    assert isinstance(table, pl.DataFrame)
    length = len(columns)
    if columns[0] in lists:
        length = _one_length(path, table, pl.read_parquet(path, columns=columns)[columns[0]])
    starts = np.cumsum(
        [0, *(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups))]
    )

    def read(rows: npt.NDArray[np.int64]) -> Floats:
        found = [np.empty((0, length), np.float32)]
        groups = np.searchsorted(starts, rows, side="right") - 1
        for group in np.unique(groups):
            frame = pl.from_arrow(file.read_row_group(int(group), columns=columns))
            assert isinstance(frame, pl.DataFrame)
            some = frame[rows[groups == group] - starts[group]]
            found.append(_matrix(some, columns, length))
        return np.concatenate(found)

    return table, length, read


def _matrix(frame: pl.DataFrame, columns: list[str], length: int) -> Floats:
    """A missing number is NaN: it is refused with its cell."""
    if len(columns) == 1 and frame[columns[0]].dtype.is_nested():
        flat = frame[columns[0]].explode().cast(pl.Float32).fill_null(float("nan"))
        return flat.to_numpy().reshape(-1, length)
    numbers = [frame[name].cast(pl.Float32).fill_null(float("nan")) for name in columns]
    return np.stack([series.to_numpy() for series in numbers], axis=1)


def _one_length(path: Path, table: pl.DataFrame, vectors: pl.Series) -> int:
    if isinstance(vectors.dtype, pl.Array):
        if vectors.null_count():
            raise PreflightError(f"{path}: row {vectors.is_null().arg_true()[0]} has no vector.")
        return vectors.dtype.size
    lengths = vectors.list.len().fill_null(0)
    odd = (lengths != lengths[0]).arg_true() if len(lengths) else []
    if len(odd):
        row = int(odd[0])
        first, other = lengths[0], lengths[row]
        said = ", ".join(f"{name} {value}" for name, value in table.row(row, named=True).items())
        raise PreflightError(
            f"{path} holds embeddings of two lengths: {first} numbers in row 0 and {other} in row "
            f"{row} ({said[:80]})."
        )
    return int(lengths[0]) if len(lengths) else 0


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _array(path: Path, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise PreflightError(f"{path}: vectors are [row, number], not {array.dtype} {array.shape}.")
    return array


def _npz(path: Path, named: Named) -> tuple[pl.DataFrame, int, Read]:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
        flat = {name: archive[name] for name in archive.files}
    lower = {name.lower(): name for name in reversed(flat)}
    known = (w for w in _VECTORS if w in lower and flat[lower[w]].ndim == 2)
    name = named.vector or next((lower[word] for word in known), "")
    if name not in flat:
        raise PreflightError(
            f"{path} has no array {name or _VECTORS[0]!r} of vectors (found: {', '.join(flat)}). "
            "Give --set embed.vector=NAME."
        )
    vectors = _array(path, flat.pop(name))
    table = {key: value for key, value in flat.items() if value.shape == (len(vectors),)}
    _all_fit(path, len(vectors), ((k, len(v)) for k, v in flat.items() if v.ndim == 1))
    return pl.DataFrame(table), vectors.shape[1], lambda rows: vectors[rows]


def _npy(path: Path, named: Named) -> tuple[pl.DataFrame, int, Read]:
    """An array beside a `.csv` of the same name whose rows are those of the array."""
    arrays, texts = path.with_suffix(".npy"), path.with_suffix(".csv")
    for needed in (arrays, texts):
        if not needed.is_file():
            raise PreflightError(f"{path}: there is no {needed.name} beside it.")
    vectors = _array(arrays, np.load(arrays, mmap_mode="r", allow_pickle=False))
    words = {named.site, *SITE, *BOTH, "mask_key"}
    head = pl.read_csv(texts, n_rows=0).columns
    as_text = {name: pl.String for name in head if name in words or name.lower() in words}
    table = pl.read_csv(texts, schema_overrides=as_text, infer_schema_length=None)
    _all_fit(arrays, len(vectors), [(texts.name, table.height)])
    return table, vectors.shape[1], lambda rows: np.asarray(vectors[rows])


def _all_fit(path: Path, count: int, others: Iterable[tuple[str, int]]) -> None:
    for name, length in others:
        if length != count:
            raise PreflightError(f"{path}: {count:,} vectors, and {length:,} entries in {name}.")


def _h5ad(path: Path, named: Named) -> tuple[pl.DataFrame, int, Read]:
    import h5py
    from anndata.io import read_elem

    with h5py.File(path, "r") as file:
        obs = read_elem(file["obs"])
        inside = {f"obsm/{key}": file["obsm"][key] for key in file.get("obsm", {})}
        place = _h5ad_place(path, inside, x=file.get("X"), said=named.vector)
        dense = isinstance(file[place], h5py.Dataset)
        # A sparse matrix or a data frame has no rows to be read by themselves.
        held = None if dense else np.asarray(_dense(read_elem(file[place])))
        shape = file[place].shape if held is None else held.shape
    if len(shape) != 2:
        raise PreflightError(f"{path}: {place} is no matrix.")
    columns = {str(name): pl.Series(obs[name].astype(object).to_list()) for name in obs.columns}
    if "region" in columns and "instance_id" in columns and "site_id" not in columns:
        # As our own export and SpatialData have it: the label image, and the value in it.
        columns["site_id"] = columns["region"].cast(pl.String).str.strip_suffix("_cells")
    columns.setdefault("obs_names", pl.Series([str(name) for name in obs.index]))

    def read(rows: npt.NDArray[np.int64]) -> Floats:
        if held is not None:
            return held[rows]
        with h5py.File(path, "r") as file:
            return np.asarray(file[place][rows] if len(rows) else np.empty((0, shape[1])))

    return pl.DataFrame(columns), int(shape[1]), read


def _h5ad_place(path: Path, inside: dict[str, Any], *, x: Any, said: str) -> str:
    if said == "X" or f"obsm/{said}" in inside:
        return "X" if said == "X" else f"obsm/{said}"
    wide = [name for name in inside if name.removeprefix("obsm/").startswith("X_")]
    if said or (len(wide) != 1 and x is None):
        known = [name.removeprefix("obsm/") for name in inside] + ["X"] * (x is not None)
        raise PreflightError(
            f"{path}: it is not clear which matrix holds the vectors (found: {', '.join(known)}). "
            "Give --set embed.vector=NAME."
        )
    return wide[0] if len(wide) == 1 else "X"


def _dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix
