"""The step `embed`: every cell or site becomes a vector, labelled or not.

Reads `cells.parquet` with crops or images and masks, and models, or a stranger's file; writes
`embeddings/<step>/`. A site's vectors depend on it alone and each site has a shard of its own, so
that a killed step leaves the same files behind as an undisturbed one.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.contracts.embedder import Embedded, Embedder, EmbedField, Facts, InMemory
from cellwise.domain.channels import ROLES
from cellwise.domain.records import Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.domain.tables import CELLS, EMBEDDINGS
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption, InputError, PreflightError
from cellwise.parts.features import REVISION
from cellwise.stages.embed import embedders
from cellwise.stages.embed._cells_then import UNDER, note_cells, refuse_other_cells
from cellwise.stages.embed.spec import Options
from cellwise.store.run.embeddings import index_path, is_sealed, seal, write_vectors
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.shards import Shards
from cellwise.store.run.tables import empty_frame, read_table, rows_of_sites

_KEY = ["site_id", "cell_id"]
# Libraries and compiled code, in each worker.
_START = 2.0


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse files that are not there or broken, before any work.

    A finished run needs its file no more.

    Raises:
        PreflightError: With what is wrong.
        BadOption: An option cannot take its value.
    """
    embedder = _embedder(options)
    file = Path(str(options.get("file") or ""))
    if file.is_file() or not is_sealed(RunFolder(job.run).embeddings(job.name)):
        embedder.check()


def check_sites(job: Job) -> None:
    """Refuse a file whose names fit no site.

    Raises:
        PreflightError: With some names of either side.
    """
    if not is_sealed(RunFolder(job.run).embeddings(job.name)):
        _embedder(job.options).check_sites(job)


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core that the vectors of all fields take; 0 where the embedder cannot tell."""
    ask = getattr(_embedder(job.options), "seconds", None)
    if ask is None:
        return 0.0
    start = _START * job.workers if job.workers > 1 else 0.0
    return start + float(ask(job, trial)) * trial.sites


def key_parts(options: dict[str, Any], device: str) -> list[str]:
    """What vectors depend on beside the options: published weights, or how features are made."""
    if options.get("name") == "measured":
        # Since they are measured without the outline of the cell; a name may be the protein's.
        left_out = set(options.get("without") or ()) - (set(ROLES) - {"protein"})
        blind = ["nuclei"] if left_out else []
        return [f"features {REVISION}", *blind]
    if options.get("name") == "cp_measure" and find_spec("cp_measure"):
        return [f"cp_measure {version('cp_measure')}"]
    if options.get("name") == "frozen":
        embedder: Any = _embedder(options)
        file = embedder.weights_file()
        made = [f"timm {version('timm')}"] if find_spec("timm") else []
        return [*made, *([_digest(file)] if file and file.is_file() else [])]
    net = options.get("net")
    weights = net.get("pretrained") if isinstance(net, dict) else None
    named = [Path(weights)] if isinstance(weights, str) else []
    return [_digest(path) for path in named if path.is_file()]


def work(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """Embed these sites; one that cannot be comes back with its error.

    Raises:
        PreflightError: The file holds vectors of other cells, or no numbers.
        BadOption: A vector does not fit the type that was asked for.
    """
    run, ids = RunFolder(job.run), [site.id for site in sites]
    embedder = _checked(job)
    cells = empty_frame(CELLS)
    if not Options.of(job.options).looks_at_sites:
        cells = rows_of_sites(run.cells, CELLS, ids).sort(_KEY)
    counts = dict(cells.group_by("site_id").len().iter_rows())
    embed = embedder.open(job, sites, cells)
    facts = embedder.facts(job)
    records, frames = [], [empty_frame(EMBEDDINGS)]
    for site in sites:
        try:
            found = embed(site.id)
        except InputError as error:
            records.append(SiteRecord(site.id, error=error))
            continue
        count = len(found.vectors)
        without = 0 if found.numbers is None else counts.get(site.id, 0) - count
        records.append(SiteRecord(site.id, {"units": count, "without": without}))
        if count:
            frames.append(_kept(site.id, found, facts, job))
    _shards(job).write(job.key, ids, pl.concat(frames))
    return records


def present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose vectors are there.

    Raises:
        PreflightError: A brought file was taken for other cells than there are now.
    """
    refuse_other_cells(job)
    run, shards = RunFolder(job.run), _shards(job)
    folder, there = run.embeddings(job.name), shards.keys()
    files = {path.stem for path in folder.glob("*.npy")}
    # Without its card nobody opens the vectors.
    sealed = is_sealed(folder)
    merged = _shard_of(read_table(index_path(folder), EMBEDDINGS)) if sealed else {}
    read = lru_cache(maxsize=8)(lambda key: _shard_of(shards.rows(key)))
    kept = []
    for site, record in finished.items():
        table = merged if record.merged else {}
        place = read(record.shard).get(site) if record.shard in there else table.get(site)
        known = record.shard in there or (record.merged and sealed)
        if place in files or (known and not record.counts.get("units", 1)):
            kept.append(site)
    return kept


def finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge what lies where into one index; returns counts.

    Raises:
        FormatError: A shard is gone; the same command makes it again.
    """
    options, folder = Options.of(job.options), RunFolder(job.run).embeddings(job.name)
    shards, facts = _shards(job), _embedder(job.options).facts(job)
    batches = {site: record.shard for site, record in finished.items()}
    empty = empty_frame(EMBEDDINGS)
    index = pl.concat([empty, *shards.merge(batches, empty)])
    # A network's vectors are made anew with the cells; a file stays what it is.
    brought = {UNDER: job.key} if "file" in facts.card else {}
    if brought:
        note_cells(job)
    dtype = facts.dtype or options.dtype
    seal(folder, index, dtype, {"embedder": options.name, **facts.card, **brought})
    return {
        "vectors": index.height,
        "sites": index["site_id"].n_unique(),
        "cells_without": int(sum(r.counts.get("without", 0) for r in finished.values())),
        **facts.counts,
    }


def settle(job: Job, batches: Collection[str]) -> None:
    """Delete all shards: the merge is on record."""
    _shards(job).remove()


def open_fields(job: Job) -> EmbedField:
    """What makes vectors of fields in memory as the step did, rounded as it keeps them.

    Args:
        job: Of the step in a finished run, which is `fitted`.

    Raises:
        PreflightError: Its vectors come from elsewhere than from pixels.
    """
    embedder = _embedder(job.options)
    if not isinstance(embedder, InMemory):
        raise PreflightError(
            f"The embeddings {job.name!r} come from {job.options['name']!r}, which makes none of "
            "fields in memory. Write the fields to a folder and call `cellwise predict`."
        )
    ask = embedder.open_fields(job)
    dtype = np.dtype(embedder.facts(job).dtype or Options.of(job.options).dtype)

    def embed(*given: Any) -> Embedded:
        found = ask(*given)
        return replace(found, vectors=found.vectors.astype(dtype).astype(np.float32))

    return embed


def _kept(site_id: str, found: Embedded, facts: Facts, job: Job) -> pl.DataFrame:
    """The vectors of a site on disk, and their rows of the index."""
    dtype = facts.dtype or Options.of(job.options).dtype
    missing = bool(facts.card.get("missing"))
    folder, count = RunFolder(job.run).embeddings(job.name), len(found.vectors)
    try:
        shard = write_vectors(folder, site_id, found.vectors, dtype=dtype, missing=missing)
    except ValueError as error:
        raise BadOption(f"embed: {error} Give --set {job.name}.dtype=float32.") from error
    return pl.DataFrame(
        {
            "unit": ["site" if found.numbers is None else "cell"] * count,
            "site_id": [site_id] * count,
            "cell_id": [None] * count if found.numbers is None else found.numbers,
            "shard": [shard] * count,
            "row": np.arange(count, dtype=np.int32),
            "length": [found.vectors.shape[1]] * count,
            "fold": [found.fold] * count,
            "model": [found.model] * count,
        },
        schema=empty_frame(EMBEDDINGS).schema,
    )


def _embedder(options: Mapping[str, Any]) -> Embedder:
    made: Embedder = embedders.build({k: v for k, v in options.items() if k != "dtype"})
    return made


def _checked(job: Job) -> Embedder:
    """The embedder, once it was held against all cells of the run; once in each process."""
    if Options.of(job.options).looks_at_sites:
        return _embedder(job.options)
    cells = RunFolder(job.run).cells
    written = json.dumps(dict(job.options), sort_keys=True, default=str)
    _check_once(job.run, job.fitted, written, _stamp(cells))
    return _embedder(job.options)


@lru_cache(maxsize=1)
def _check_once(run: Path, fitted: Path | None, written: str, stamp: tuple[int, int]) -> None:
    """A worker asks for every batch; `stamp` tells other cells."""
    job = Job(run, run, "", json.loads(written), "", 0, fitted=fitted)
    table = read_table(RunFolder(run).cells, CELLS).select(*_KEY, "area")
    _embedder(job.options).check_cells(job, table)


def _shards(job: Job) -> Shards:
    run = RunFolder(job.run)
    folder = run.temporary / f"embeddings-{job.name}"
    return Shards(folder, EMBEDDINGS, index_path(run.embeddings(job.name)))


def _shard_of(rows: pl.DataFrame | None) -> dict[str, str]:
    """The shard of each site."""
    if rows is None:
        return {}
    return dict(rows.select("site_id", "shard").unique().iter_rows())


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns
