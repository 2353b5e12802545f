"""Vectors of cells or sites on disk: memory-mapped arrays, and an index of what lies where.

`embeddings/<name>/` holds shards `<shard>.npy`, `[row, number]` in float16 or float32;
`index.parquet`, one row per unit with its shard and row, and the fold and model of the network that
made it, where one did; and `embeddings.json`, the length and type of the vectors, the names of
their numbers where they have names, whether numbers may be missing (NaN), and where they come from.
The card is written last: where it is, the rest is whole.
"""

import hashlib
import io
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import EMBEDDINGS
from cellwise.errors import FormatError
from cellwise.store.atomic import write_bytes, write_text
from cellwise.store.run.crops import remove_other_shards, shard_path
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

FORMAT = 1
DTYPES = ("float16", "float32")

_CARD = "embeddings.json"
_KEY = ["site_id", "cell_id"]
_OPEN_SHARDS = 1024

Vectors = npt.NDArray[np.floating[Any]]


def index_path(folder: Path) -> Path:
    """The table of what lies where, of kind `EMBEDDINGS`."""
    return folder / "index.parquet"


def write_vectors(
    folder: Path, stem: str, vectors: npt.NDArray[Any], *, dtype: str, missing: bool = False
) -> str:
    """Write `vectors[row, number]` as one shard and return its name.

    The name is `stem` and a digest of the content, so that an index never meets vectors made with
    other settings, whenever a run was killed.

    Raises:
        ValueError: They are not two-dimensional, hold an infinity, or NaN though numbers may not be
            `missing`, or do not fit the type.
        StorageError: The disk is full or cannot be written.
    """
    if dtype not in DTYPES or vectors.ndim != 2 or vectors.shape[1] == 0:
        raise ValueError(f"Vectors are [row, number] of {' or '.join(DTYPES)}, not {dtype}.")
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(vectors, np.dtype(dtype).newbyteorder("<"))
    if not _sound(narrow, missing=missing).all():
        row = int(np.flatnonzero(~_sound(narrow, missing=missing).all(1))[0])
        if _sound(vectors[row], missing=missing).all():
            raise ValueError(f"Row {row} of {stem} is beyond {dtype}. Keep float32.")
        raise ValueError(f"Row {row} of {stem} holds NaN or an infinity.")
    content = io.BytesIO()
    np.lib.format.write_array(content, narrow, version=(1, 0), allow_pickle=False)
    name = f"{stem}-{hashlib.sha256(content.getvalue()).hexdigest()[:16]}"
    write_bytes(shard_path(folder, name), content.getvalue())
    return name


def seal(folder: Path, frame: pl.DataFrame, dtype: str, facts: Mapping[str, Any]) -> None:
    """Write the card, once all shards and the index lie there, and delete shards of no unit.

    Args:
        folder: That of the embeddings.
        frame: The rows of the index.
        dtype: The type of the vectors.
        facts: Where the vectors come from, for people; anything that JSON can write. `columns` and
            `missing` are read again: see `Embeddings`.

    Raises:
        FormatError: A shard is missing, vectors are of two lengths or not as long as their names
            are many, or a unit is there twice.
    """
    twice = frame.filter(frame.select(_KEY).is_duplicated())
    if twice.height:
        raise FormatError(f"{folder.name}: {_unit(twice.row(0, named=True))} is there twice.")
    lengths = frame.unique("length", keep="first", maintain_order=True)
    if lengths.height > 1:
        said = " and ".join(
            f"{row['length']} numbers in {_unit(row)}" for row in lengths.iter_rows(named=True)
        )
        raise FormatError(f"{folder.name}: vectors of two lengths, {said}. Let the step run again.")
    names = set(frame["shard"].unique())
    lost = sorted(names - {path.stem for path in folder.glob("*.npy")})
    if lost:
        raise FormatError(f"{folder.name}: shard {lost[0]} is gone. Let the step run again.")
    length = int(lengths["length"][0]) if lengths.height else 0
    columns = facts.get("columns") or ()
    if columns and frame.height and len(columns) != length:
        raise FormatError(
            f"{folder.name}: vectors of {length} numbers, but {len(columns)} names. Let the step "
            "run again."
        )
    unit = str(frame["unit"][0]) if frame.height else "cell"
    own = {"format": FORMAT, "unit": unit, "length": length, "dtype": dtype, "units": frame.height}
    card = {**own, **facts}
    write_text(folder / _CARD, json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    remove_other_shards(folder, names)


def is_sealed(folder: Path) -> bool:
    """Whether whole embeddings lie there."""
    return (folder / _CARD).is_file() and index_path(folder).is_file()


def embedding_names(run: RunFolder) -> list[str]:
    """The embed steps of a run whose vectors are of cells, sorted."""
    folders = sorted(run.embeddings("*").parent.glob("*"))
    sealed = [folder for folder in folders if is_sealed(folder)]
    return [folder.name for folder in sealed if read_json(folder / _CARD).get("unit") != "site"]


class Embeddings:
    """Random access to the vectors of one embed step; may be sent to other processes.

    `columns` are the names of the numbers of a vector, empty where they have none; `missing` says
    that NaN in a vector means "not measured of this cell".

    Args:
        folder: That of the embeddings.

    Raises:
        FormatError: There are none, or the index is torn or of a newer cellwise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / _CARD).is_file():
            raise FormatError(f"{folder} holds no embeddings. Let their embed step run.")
        self.facts = read_json(folder / _CARD)
        if not isinstance(self.facts.get("format"), int) or self.facts["format"] > FORMAT:
            raise FormatError(f"{folder / _CARD} was written by a newer cellwise, or is no card.")
        self.index = read_table(index_path(folder), EMBEDDINGS)
        self.length = int(self.facts["length"])
        self.dtype = str(self.facts["dtype"])
        self.columns = tuple(str(name) for name in self.facts.get("columns") or ())
        self.missing = bool(self.facts.get("missing"))
        names, numbers = np.unique(self.index["shard"].to_numpy(), return_inverse=True)
        self._names = [str(name) for name in names]
        self._numbers = numbers.astype(np.int32)
        self._rows = self.index["row"].to_numpy().astype(np.int64)
        self._open: OrderedDict[int, Vectors] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def name(self) -> str:
        """The embed step."""
        return self.folder.name

    @property
    def blocks(self) -> tuple[int, ...]:
        """Lengths of the parts that a vector is put together of: one here, see `Joined`."""
        return (self.length,)

    @property
    def makers(self) -> list[list[str]]:
        """What made the vectors, of each part; numbers of two makers do not mean the same."""
        return [self.index["model"].unique().drop_nulls().sort().to_list()]

    def read(self, positions: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """The vectors at these positions of the index, float32 `[n, number]`; others stay on disk.

        Raises:
            IndexError: A position outside the index.
            FormatError: A shard is missing, torn, of another length, or holds an infinity, or NaN
                where numbers may not be missing.
        """
        wanted = np.asarray(positions, np.int64).reshape(-1)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"There are {len(self)} vectors; asked for {wanted.max()}.")
        result = np.empty((len(wanted), self.length), np.float32)
        numbers = self._numbers[wanted]
        for number in np.unique(numbers):
            at = np.flatnonzero(numbers == number)
            result[at] = self._shard(int(number))[self._rows[wanted[at]]]
        sound = _sound(result, missing=self.missing).all(1)
        if not sound.all():
            row = self.index.row(int(wanted[np.flatnonzero(~sound)[0]]), named=True)
            what = "an infinity" if self.missing else "NaN"
            raise FormatError(
                f"{self.folder.name}: the vector of {_unit(row)} holds {what}. Let the step run "
                "again."
            )
        return result

    def view(self, shard: str) -> Vectors:
        """A whole shard `[row, number]` as it lies on disk; nothing is read until it is used."""
        return self._shard(self._names.index(shard))

    def places(self, cells: pl.DataFrame) -> npt.NDArray[np.int64]:
        """Where in the index each of these cells lies, -1 for one that has no vector."""
        listed = self.index.select(_KEY).with_row_index("place")
        found = cells.select(_KEY).join(listed, on=_KEY, how="left", maintain_order="left")
        return found["place"].cast(pl.Int64).fill_null(-1).to_numpy()

    def check_cells(self, cells: pl.DataFrame) -> None:
        """Refuse vectors of other cells than those of the run.

        Args:
            cells: All cells, columns `site_id` and `cell_id`, of each of the sites that it names.

        Raises:
            FormatError: A vector is of a cell that its site does not have: the run was segmented
                anew since, or these are vectors of other cells.
        """
        sites = cells.select(pl.col("site_id").unique())
        strange = self.index.select(_KEY).join(sites, on="site_id", how="semi")
        strange = strange.join(cells, on=_KEY, how="anti").filter(pl.col("cell_id").is_not_null())
        if strange.height:
            raise FormatError(
                f"Embeddings {self.folder.name!r} hold {_unit(strange.row(0, named=True))}, which "
                f"is not in the run ({strange.height:,} such): it was segmented again since. Let "
                "their embed step run again."
            )

    def __getstate__(self) -> dict[str, Any]:
        # A map would travel as its whole content.
        return {**self.__dict__, "_open": OrderedDict()}

    def _shard(self, number: int) -> Vectors:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        name = self._names[number]
        shard = _map(shard_path(self.folder, name))
        if shard.shape[1] != self.length or shard.dtype != self.dtype:
            raise FormatError(
                f"Shard {name} holds {shard.dtype} of {shard.shape[1]} numbers, the others "
                f"{self.dtype} of {self.length}. Let the step run again."
            )
        _check_rows(self._rows[self._numbers == number], shard, name)
        self._open[number] = shard
        if len(self._open) > _OPEN_SHARDS:
            self._open.popitem(last=False)
        return shard


def read_embeddings(
    run: RunFolder, name: str, rows: npt.NDArray[Any] | None = None
) -> tuple[pl.DataFrame, npt.NDArray[np.float32]]:
    """The index of one embed step and its vectors, float32 `[n, number]`.

    Args:
        run: The run folder.
        name: The embed step.
        rows: Positions in the index, in any order; None for all.

    Raises:
        FormatError: There are none, or they are torn.
    """
    kept = Embeddings(run.embeddings(name))
    if rows is None:
        return kept.index, kept.read(np.arange(len(kept)))
    return kept.index[np.asarray(rows, np.int64)], kept.read(rows)


def _sound(vectors: npt.NDArray[Any], *, missing: bool) -> npt.NDArray[np.bool_]:
    """Which numbers may stand in a vector."""
    return np.asarray(~np.isinf(vectors) if missing else np.isfinite(vectors))


def _unit(row: Mapping[str, Any]) -> str:
    cell = row["cell_id"]
    return f"site {row['site_id']}" if cell is None else f"cell {cell} of {row['site_id']}"


def _check_rows(rows: npt.NDArray[Any], array: Vectors, name: str) -> None:
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(array):
        raise FormatError(f"Shard {name} {array.shape} does not fit the index.")


def _map(path: Path) -> Vectors:
    try:
        shard = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(
            f"{path} cannot be read as embeddings: {error}. Let the embed step run again."
        ) from error
    if shard.ndim != 2 or shard.dtype.name not in DTYPES:
        raise FormatError(f"{path} holds {shard.dtype} {shard.shape}, not embeddings.")
    # A plain array over the same map: an indexed memmap costs several times as much.
    return np.asarray(shard)
