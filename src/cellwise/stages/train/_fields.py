"""Whole fields at the size a network wants, decoded once and kept while a step is at work."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError
from cellwise.parts.resize import resize
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import CropStore, shard_path, write_channels, write_shard
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.kept_fields import KeptFields


class FieldStore:
    """Fields of these sites, resized to squares; each is decoded when it is first asked for.

    Args:
        job: The job of the step.
        sites: The sites, in order.
        size: Side in pixels.
        cache: Empty keeps them as float16 for this step alone; `uint8` or `uint16` keeps them for
            all steps that want this size.

    Raises:
        PreflightError: A site lacks a channel that the first one has.
    """

    def __init__(self, job: Job, sites: Sequence[Site], *, size: int, cache: str = "") -> None:
        self.channels = sites[0].channels
        self._job = job
        self._sites = sites
        self._size = size
        self._folder = RunFolder(job.run).temporary / f"{job.name}-{job.key}" / "fields"
        keys = {channel.key for channel in self.channels}
        for site in sites:
            missing = keys - {channel.key for channel in site.channels}
            if missing:
                raise PreflightError(f"train: {site.id} has no channel {sorted(missing)[0]!r}.")
        self._shared = None
        if cache:
            run = RunFolder(job.run)
            self._shared = KeptFields(
                run,
                job.images,
                size=size,
                kind=cache,
                channels=[channel.key for channel in self.channels],
                decode=self._decode,
            )
            return
        write_channels(self._folder, self.channels)
        names = [site.id for site in sites]
        self._kept = CropStore(
            self._folder,
            pl.DataFrame({"shard": names, "row": [0] * len(names)}, schema_overrides=_ROW),
        )

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Fields `[n, channel, size, size]` in 0..1.

        Raises:
            InputError: A file cannot be decoded any more.
        """
        if self._shared is not None:
            return self._shared.read([self._sites[int(position)] for position in positions])
        for position in np.unique(positions):
            site = self._sites[int(position)]
            if not shard_path(self._folder, site.id).is_file():
                write_shard(self._folder, site.id, self._decode(site)[None])
        # The store learns the size from its first site.
        if not shard_path(self._folder, self._sites[0].id).is_file():
            write_shard(self._folder, self._sites[0].id, self._decode(self._sites[0])[None])
        return self._kept.read(positions)

    def read_pieces(
        self, positions: npt.NDArray[np.int64], corners: npt.NDArray[np.int64], side: int
    ) -> npt.NDArray[np.float32]:
        """A square `[n, channel, side, side]` of each field, from its upper left corner (y, x).

        Raises:
            InputError: A file cannot be decoded any more.
        """
        if self._shared is not None:
            sites = [self._sites[int(position)] for position in positions]
            return self._shared.read_pieces(sites, corners, side)
        whole = self.read(positions)
        pieces = zip(whole, corners.tolist(), strict=True)
        return np.stack([field[:, y : y + side, x : x + side] for field, (y, x) in pieces])

    def _decode(self, site: Site) -> npt.NDArray[np.float32]:
        field = read_field(site, self._job.images)
        keys = [channel.key for channel in field.channels]
        order = [keys.index(channel.key) for channel in self.channels]
        pixels = torch.from_numpy(np.ascontiguousarray(field.pixels[order]))[None]
        return np.asarray(resize(pixels, self._size, self._size)[0].clamp(0, 1).numpy())


_ROW = {"row": pl.Int32}
