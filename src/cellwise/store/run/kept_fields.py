"""Whole fields at the size a network wants, decoded once for all steps that want that size.

One `.npy` file for each site and each state of its files, as uint8 or uint16, under `work/`. They
stay until `cellwise clean` frees them.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Site, file_of
from cellwise.errors import InputError
from cellwise.store.atomic import writing
from cellwise.store.images.ome_zarr import folder_facts
from cellwise.store.run.folder import RunFolder

Floats = npt.NDArray[np.float32]
KINDS = ("uint8", "uint16")


class KeptFields:
    """Decoded fields of one size.

    Args:
        run: The run folder.
        images: What paths of sites are relative to.
        size: Side of the fields in pixels.
        kind: `uint8` or `uint16`: how finely brightness is kept, 0..1 over the whole range.
        channels: What is read of each site, in order.
        decode: A site to its pixels `[channel, size, size]` in 0..1.
    """

    def __init__(
        self,
        run: RunFolder,
        images: Path,
        *,
        size: int,
        kind: str,
        channels: Sequence[str],
        decode: Callable[[Site], Floats],
    ) -> None:
        self._folder = run.temporary / "fields" / f"{size}-{kind}"
        self._images = images
        self._channels = list(channels)
        self._type: npt.DTypeLike = np.dtype(kind)
        self._most = float(np.iinfo(kind).max)
        self._decode = decode

    def read(self, sites: Sequence[Site]) -> Floats:
        """Fields `[n, channel, size, size]` in 0..1; those not kept yet are decoded and kept.

        Raises:
            InputError: A file cannot be decoded, or is gone.
        """
        return np.stack([self._one(site) for site in sites])

    def read_pieces(
        self, sites: Sequence[Site], corners: npt.NDArray[np.int64], side: int
    ) -> Floats:
        """A square `[n, channel, side, side]` of each field, from its upper left corner (y, x).

        Nothing else of a kept field is read.

        Raises:
            InputError: A file cannot be decoded, or is gone.
        """
        pieces = [
            kept[:, y : y + side, x : x + side]
            for kept, (y, x) in zip(map(self._kept, sites), corners.tolist(), strict=True)
        ]
        return np.stack(pieces).astype(np.float32) / np.float32(self._most)

    def _one(self, site: Site) -> Floats:
        return np.asarray(self._kept(site), np.float32) / np.float32(self._most)

    def _kept(self, site: Site) -> npt.NDArray[Any]:
        """The field as it is kept, mapped; decoded first where it is not there yet."""
        path = self._folder / f"{site.id}-{self._state(site)}.npy"
        if not path.is_file():
            pixels = np.rint(self._decode(site) * self._most).astype(self._type)
            with writing(path) as partial, partial.open("wb") as handle:
                np.save(handle, pixels)
        kept: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return kept

    def _state(self, site: Site) -> str:
        """A digest of a site's files: how they are read, sizes, times of change, places on disk."""
        seen = hashlib.sha256("\n".join(self._channels).encode())
        for entry in site.files:
            seen.update(f"{entry.channel.key}\0{entry.plane}\0{entry.colour}\n".encode())
            if entry.scale is not None:
                seen.update(f"{entry.scale}\n".encode())
            for path in entry.paths:
                # A page of a file is named behind a '#'.
                file = self._images / file_of(path)
                try:
                    stamp = _stamp(file)
                except OSError as error:
                    raise InputError(
                        f"{path} cannot be found any more.",
                        code="not_found",
                        remedy="Put it back and give the same command again.",
                        path=path,
                    ) from error
                seen.update(f"{path}\0{stamp}\n".encode())
        return seen.hexdigest()[:16]


def _stamp(file: Path) -> tuple[int, int, int, int]:
    if file.is_dir():
        whole = folder_facts(file)
        return whole.size, whole.times, whole.changes, whole.inode
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino
