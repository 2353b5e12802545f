"""Vectors that the user brings: those of SubCell, of a DINO model, or of any other program.

A file is Parquet, `.npz`, `.npy` with a `.csv` of the same name, or `.h5ad`, keyed by field and
cell. Cells without a vector stay without; names that fit no field are counted.

Source: SubCell (Gupta et al. 2024) and DINOv2 (Oquab et al. 2023, arXiv 2304.07193) are what people
bring; the tables are theirs and those of AnnData.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from cellwise.contracts.embedder import Embed, Embedded, Embedder, Facts
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import BadOption
from cellwise.store.embeddings.columns import Named
from cellwise.store.embeddings.files import Brought, open_file
from cellwise.store.embeddings.imported import Matched, check_cells, check_numbers, match_sites
from cellwise.store.run.folder import RunFolder

_NAMED = 10


def build(file: str = "", site: str = "", cell: str = "", vector: str = "") -> Embedder:
    """Make the embedder.

    Args:
        file: The file of vectors.
        site: Its column (or array) of names of fields; empty for `site_id`, `site`, `image`...
        cell: Its column of numbers of cells in the masks; empty for `cell_id`, `cell`... A file
            without one holds vectors of whole fields.
        vector: Its column of lists, the name that its numbered columns share (`feat`), its array,
            or its matrix in `obsm`; empty where there is only one.
    """
    return _Given(Path(file), Named(site, cell, vector))


@dataclass(frozen=True, slots=True)
class _Given:
    file: Path
    named: Named

    def check(self) -> None:
        if self.file == Path():
            raise BadOption("embed imported: which file? Give --set embed.file=FILE.")
        _opened(self.file, self.named, _changed(self.file))

    def check_sites(self, job: Job) -> None:
        self._matched(job)

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        brought, matched = self._matched(job)
        check_cells(brought, matched, RunFolder(job.run), cells)
        check_numbers(brought, matched)

    def facts(self, job: Job) -> Facts:
        _, matched = self._matched(job)
        strangers = matched.strangers
        counts = {} if not strangers else {
            "names_of_no_field": len(strangers),
            "such_names": list(strangers[:_NAMED]),
        }  # fmt: skip
        return Facts({"file": self.file.name, "names_of_no_field": list(strangers)}, counts)

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        brought, matched = self._matched(job)

        def embed(site_id: str) -> Embedded:
            numbers, rows = matched.of(site_id)
            # Files are read from front to back.
            order = np.argsort(rows, kind="stable")
            vectors = np.empty((len(rows), brought.length), np.float32)
            vectors[order] = brought.read(rows[order])
            whole = brought.unit == "site"
            return Embedded(None if whole else numbers.to_numpy().astype(np.int32), vectors)

        return embed

    def _matched(self, job: Job) -> tuple[Brought, Matched]:
        brought = _opened(self.file, self.named, _changed(self.file))
        sites = RunFolder(job.run).sites
        return brought, _match(self.file, self.named, sites, (_changed(self.file), _changed(sites)))


def _changed(path: Path) -> tuple[int, int]:
    if not path.is_file():
        return 0, 0
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=2)
def _opened(file: Path, named: Named, changed: tuple[int, int]) -> Brought:
    """A worker asks again for every batch of sites; `changed` tells another content."""
    return open_file(file, named)


@lru_cache(maxsize=2)
def _match(file: Path, named: Named, sites: Path, changed: tuple[tuple[int, int], ...]) -> Matched:
    return match_sites(_opened(file, named, changed[0]), sites)
