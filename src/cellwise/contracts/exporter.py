"""What an exporter is given: the tables of a run, and the file to be written."""

from pathlib import Path
from typing import Protocol


class RunTables(Protocol):
    """Where the tables and folders of one run lie; `store.run.folder.RunFolder` is one."""

    @property
    def path(self) -> Path:
        """The run folder."""

    @property
    def sites(self) -> Path:
        """`sites.parquet`."""

    @property
    def cells(self) -> Path:
        """`cells.parquet`."""

    @property
    def masks(self) -> Path:
        """Folder of label images."""

    @property
    def predictions(self) -> Path:
        """`predictions.parquet`."""


class Exporter(Protocol):
    """Writes one file from a run; the file appears whole or not at all.

    A run without what the file needs is refused with `PreflightError`, which says what is missing.
    """

    def __call__(self, run: RunTables, path: Path, /) -> None:
        """Write the file at `path`."""
