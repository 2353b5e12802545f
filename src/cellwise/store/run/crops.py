"""Single-cell images on disk: memory-mapped float16 arrays, and the channels they hold.

A shard is `crops/<shard>.npy`, `[cell, channel, size, size]` in 0..1; rows of the cell table say
which `shard` and `row` a cell lies in. `crops/channels.json` names the channels, in order.
"""

import hashlib
import json
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.errors import FormatError
from cellwise.store.atomic import rename, write_text, writing
from cellwise.store.run.folder import read_json

Number = TypeVar("Number", np.float16, np.float32)

FORMAT = 1
_CHANNELS = "channels.json"
# Each open map costs an address range, of which a process may hold some 65,000.
_OPEN_SHARDS = 1024


def shard_path(folder: Path, name: str) -> Path:
    """The file of a shard; the only way to its path."""
    return folder / f"{name}.npy"


def write_shard(folder: Path, name: str, array: npt.NDArray[Any]) -> None:
    """Write `array[cell, channel, size, size]` in 0..1 as one shard, narrowed to float16."""
    _write(shard_path(folder, name), [array], array.shape)


def write_site(
    folder: Path, site_id: str, blocks: Iterable[npt.NDArray[Any]], *, shape: tuple[int, ...]
) -> str:
    """Write the crops of one site from blocks of cells, and return the name of the shard.

    The name holds a digest of the content, so that a table never meets crops made with other
    settings, whenever a run was killed. Thousands of cells never lie in memory at once.

    Raises:
        ValueError: The shape is not `[cell, channel, size, size]`, or the blocks do not fill it.
        StorageError: The disk is full or cannot be written.
    """
    # A name of its own: a worker that was given up may still be at the same site.
    pending = folder / f".{site_id}.{uuid.uuid4().hex}.partial.npy"
    digest = _write(pending, blocks, shape)
    name = f"{site_id}-{digest[:16]}"
    rename(pending, shard_path(folder, name))
    return name


def _write(path: Path, blocks: Iterable[npt.NDArray[Any]], shape: tuple[int, ...]) -> str:
    """Write blocks as one array file; the digest of what was written."""
    if len(shape) != 4 or 0 in shape[1:] or shape[2] != shape[3]:
        raise ValueError(f"Crops are [cell, channel, size, size], not {shape}.")
    content = hashlib.sha256()
    with writing(path) as partial:
        with partial.open("wb") as handle:
            header = {"descr": "<f2", "fortran_order": False, "shape": tuple(map(int, shape))}
            np.lib.format.write_array_header_1_0(handle, header)
            count = 0
            for block in blocks:
                if block.shape[1:] != tuple(shape[1:]):
                    raise ValueError(f"{path.name}: a block is {block.shape}, not {shape}.")
                narrow = np.ascontiguousarray(block, "<f2")
                content.update(narrow.data)
                handle.write(narrow.data)
                count += len(block)
        if count != shape[0]:
            raise ValueError(f"{path.name}: {count} cells came for {shape[0]} places.")
    return content.hexdigest()


def write_channels(folder: Path, channels: Sequence[Channel]) -> None:
    """Write which channels the crops of this folder hold, in order."""
    listed = [{"name": channel.name, "role": channel.role} for channel in channels]
    content = {"format": FORMAT, "channels": listed}
    write_text(folder / _CHANNELS, json.dumps(content, indent=1) + "\n")


def read_channels(folder: Path) -> tuple[Channel, ...]:
    """The channels of the crops in this folder, in order.

    Raises:
        FormatError: The list is missing, torn or newer than this cellwise.
    """
    path = folder / _CHANNELS
    if not path.exists():
        raise FormatError(f"{path} is missing. Let the step 'cells' run again, with crops.")
    content = read_json(path)
    if int(content.get("format", 0)) > FORMAT or "channels" not in content:
        raise FormatError(f"{path} was written by a newer cellwise, or is no list of channels.")
    return tuple(Channel(entry["name"], entry["role"]) for entry in content["channels"])


def remove_other_shards(folder: Path, keep: Iterable[str]) -> int:
    """Delete shards that are not in `keep`, and unfinished files; how many were deleted."""
    wanted = {shard_path(folder, name) for name in keep}
    # A name with a leading dot, also listed here, is what a killed writer leaves behind.
    stale = [path for path in folder.glob("*.npy") if path not in wanted]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


class CropStore:
    """Random access to the crops of a cell table; may be sent to other processes.

    Args:
        folder: The run's folder of crops.
        cells: Rows of the cell table; positions given to `read` count in this table.

    Raises:
        FormatError: The table says nothing about crops, or the list of channels is missing.
    """

    def __init__(self, folder: Path, cells: pl.DataFrame) -> None:
        missing = {"shard", "row"} - set(cells.columns)
        if missing or cells["shard"].null_count():
            raise FormatError(
                "The cell table does not say where crops lie. Let the step 'cells' run with crops."
            )
        self.folder = folder
        self.channels = read_channels(folder)
        # Numbers instead of a list of texts: loader processes share them without copies.
        names, numbers = np.unique(cells["shard"].to_numpy(), return_inverse=True)
        self._names = [str(name) for name in names]
        self._numbers = numbers.astype(np.int32)
        self._rows = cells["row"].to_numpy().astype(np.int64)
        self._open: OrderedDict[int, npt.NDArray[np.float16]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """Side of the crops in pixels; 0 without cells."""
        return int(self._shard(int(self._numbers[0])).shape[-1]) if len(self) else 0

    def read(self, positions: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Crops at these positions of the table, float32 `[n, channel, size, size]` in 0..1.

        Raises:
            IndexError: A position outside the table.
            FormatError: A shard is missing, torn, or too short for the table.
        """
        return self._filled(positions, np.float32)

    def stored(self, positions: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
        """The same as they lie on disk, float16: less to copy where pixels are only looked at.

        Raises:
            IndexError, FormatError: As `read`.
        """
        return self._filled(positions, np.float16)

    def _filled(self, positions: npt.NDArray[Any], dtype: type[Number]) -> npt.NDArray[Number]:
        wanted = np.asarray(positions, np.int64).reshape(-1)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"The table has {len(self)} cells; asked for {wanted.max()}.")
        shape: tuple[int, ...] = (len(self.channels), self.size, self.size)
        result = np.empty((len(wanted), *shape), dtype)
        for place, position in enumerate(wanted):
            shard = self._shard(int(self._numbers[position]))
            row = self._rows[position]
            if not 0 <= row < len(shard) or shard.shape[1:] != shape:
                name = self._names[int(self._numbers[position])]
                raise FormatError(f"Crops {name} {shard.shape} do not fit the cell table.")
            result[place] = shard[row]
        return result

    def __getstate__(self) -> dict[str, Any]:
        # A map would travel as its whole content.
        return {**self.__dict__, "_open": OrderedDict()}

    def _shard(self, number: int) -> npt.NDArray[np.float16]:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        shard = _map(shard_path(self.folder, self._names[number]))
        self._open[number] = shard
        if len(self._open) > _OPEN_SHARDS:
            self._open.popitem(last=False)
        return shard


def _map(path: Path) -> npt.NDArray[np.float16]:
    try:
        shard = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(
            f"{path} cannot be read as crops: {error}. Let the step 'cells' run again."
        ) from error
    if shard.ndim != 4 or shard.dtype != np.float16:
        raise FormatError(f"{path} holds {shard.dtype} {shard.shape}, not crops.")
    return np.asarray(shard)
