"""Rows that batches of sites wrote, until they are merged into one table of the run.

A shard is `<batch key>-<digest of the sites>.parquet`. A merge takes the rows of a site from the
shard on its record, or, where that went with an earlier merge, from the merged table as it stands.
"""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from cellwise.domain.tables import TableKind
from cellwise.store.atomic import writing
from cellwise.store.run.tables import read_table, rows_of_sites, stored_schema, write_table

# So many sites lie in memory at once while tables are merged.
_SITES_AT_ONCE = 1000


class Shards:
    """The shards of one step.

    Args:
        folder: Where they lie.
        kind: The table that they become.
        merged: The file of that table.
    """

    def __init__(self, folder: Path, kind: TableKind, merged: Path) -> None:
        self._folder = folder
        self._kind = kind
        self._merged = merged
        self._listed: dict[str, list[str]] | None = None

    def write(
        self, key: str, site_ids: Sequence[str], rows: pl.DataFrame, *, classes: Sequence[str] = ()
    ) -> None:
        """Write the rows of a batch; the key of the batch and its sites name the file."""
        self._listed = None
        digest = hashlib.sha256("\n".join([key, *site_ids]).encode()).hexdigest()[:16]
        write_table(self._folder / f"{key}-{digest}.parquet", self._kind, rows, classes=classes)

    def keys(self) -> set[str]:
        """The keys of the batches whose shards are there."""
        return set(self._files())

    def rows(self, key: str) -> pl.DataFrame | None:
        """The rows of a batch; None where there are none."""
        names = self._files().get(key, [])
        frames = [read_table(self._folder / name, self._kind) for name in names]
        return pl.concat(frames, how="diagonal") if frames else None

    def merged_sites(self) -> set[str]:
        """The sites that have rows in the merged table.

        Raises:
            FormatError: The table cannot be read.
        """
        if not self._merged.is_file():
            return set()
        column = read_table(self._merged, self._kind, columns=["site_id"])["site_id"]
        return set(column.unique().to_list())

    def merge(
        self, shards: Mapping[str, str], empty: pl.DataFrame, *, classes: Sequence[str] = ()
    ) -> Iterator[pl.DataFrame]:
        """Write the table and yield its rows as they are written, sorted, some sites at a time.

        Args:
            shards: The key of each site's batch.
            empty: No rows, with the table's columns; columns that a shard lacks are null.
            classes: Names along vector columns.

        Raises:
            FormatError: The table or a shard cannot be read.
        """
        schema = stored_schema(self._kind, empty, classes=classes)
        self._listed = None
        with (
            writing(self._merged) as partial,
            pq.ParquetWriter(partial, schema, compression="zstd") as writer,
        ):
            for rows in self.in_order(shards, empty):
                table = rows.to_arrow().select(schema.names).cast(schema)
                writer.write_table(table.replace_schema_metadata(schema.metadata))
                yield rows

    def remove(self, keep: Collection[str] = ()) -> None:
        """Delete all shards but those of these batches."""
        self._listed = None
        kept = set(keep)
        for path in self._folder.glob("*.parquet"):
            if path.name.partition("-")[0] not in kept:
                path.unlink(missing_ok=True)

    def _files(self) -> dict[str, list[str]]:
        """The names of the shards of each batch, listed once: there may be 10,000 of them."""
        if self._listed is None:
            self._listed = {}
            with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
                for name in sorted(entry.name for entry in entries):
                    if "-" in name and name.endswith(".parquet"):
                        self._listed.setdefault(name.partition("-")[0], []).append(name)
        return self._listed

    def in_order(self, shards: Mapping[str, str], empty: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The rows that a merge would write, sorted, some sites at a time; as `merge`."""
        read, there = lru_cache(maxsize=64)(self.rows), self._files()
        sites = sorted(shards)
        for start in range(0, len(sites), _SITES_AT_ONCE):
            some = sites[start : start + _SITES_AT_ONCE]
            frames = [empty]
            old = [site for site in some if shards[site] not in there]
            if old and self._merged.is_file():
                frames.append(rows_of_sites(self._merged, self._kind, old))
            wanted: dict[str, list[str]] = {}
            for site in some:
                wanted.setdefault(shards[site], []).append(site)
            for key, own in wanted.items():
                frame = read(key) if key in there else None
                if frame is not None:
                    frames.append(frame.filter(pl.col("site_id").is_in(own)))
            rows = pl.concat(frames, how="diagonal_relaxed").select(empty.columns)
            # A batch that was repeated site by site after a crash may be there twice.
            yield rows.unique(self._kind.sort, keep="first").sort(self._kind.sort)
