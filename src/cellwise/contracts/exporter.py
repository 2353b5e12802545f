"""What an exporter is given: the tables of a run, and the file or folder to be written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Exported:
    """What an exporter that goes from field to field has written.

    Args:
        fields: Number of fields.
        cells: Number of cells.
        set_aside: Fields that the run had set aside already, so that they have no cells.
        lost: Fields that could not be written, with the reason: an image of theirs is gone or torn.
    """

    fields: int
    cells: int
    set_aside: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)


class Exporter(Protocol):
    """Writes one file or folder from a run; it appears whole or not at all.

    A run without what the file needs is refused with `PreflightError`, which says what is missing.
    """

    def __call__(self, run: RunTables, path: Path, /) -> Exported | None:
        """Write the file or folder at `path`."""


class FolderExporter(ABC):
    """An exporter whose export is a folder, written field by field."""

    @abstractmethod
    def __call__(
        self, run: RunTables, path: Path, /, tell: Callable[[int, int, str], None] | None = None
    ) -> Exported:
        """Write the folder at `path`; the same export in its place is replaced.

        Args:
            run: The run.
            path: The folder; nothing that another program wrote is touched.
            tell: Told of progress as `(fields done, fields in all, note)`.
        """
