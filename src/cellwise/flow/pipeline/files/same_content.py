"""A look at the content of files that may have become others: by hash, else by their pixels."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from cellwise.domain.nouns import PIXELS
from cellwise.domain.records import Site, file_of
from cellwise.domain.tables import PIXELS as PIXEL_TABLE
from cellwise.domain.tables import SITES
from cellwise.errors import FormatError, InputError
from cellwise.flow.pipeline.keys import file_digest
from cellwise.flow.pipeline.state import State, log_name
from cellwise.stages.read.listing import TABLE_ENDINGS
from cellwise.store.images.fields import read_field
from cellwise.store.images.fingerprint import plane_digest
from cellwise.store.images.ome_zarr import folder_digest
from cellwise.store.run.shards import Shards
from cellwise.store.run.sites import sites_of
from cellwise.store.run.tables import empty_frame, read_table

STAT = ["path", "size", "mtime_ns"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the content of a file found: its hash, and whether it is as it was."""

    sha256: str | None
    same: bool


def look_at(
    state: State, folder: Path, suspects: pl.DataFrame, *, images: bool, new: bool
) -> dict[str, Verdict]:
    """A look at each of these files.

    Args:
        state: The run.
        folder: The folder.
        suspects: Rows of the table of files.
        images: Whether it is the folder of the images.
        new: Whether nothing was remembered of them: then what no hash tells of counts as unchanged.
    """
    if not suspects.height:
        return {}
    hashes = dict(suspects.select("path", "sha256").iter_rows())
    unknown = [path for path, sha in hashes.items() if sha is None]
    pixels: dict[str, bool] = {}
    rows: Mapping[str, list[tuple[str, str]]] = {}
    if images:
        rows = rows_by_file(state, suspects if new else None)
        pixels = _pixels_as_before(state, {path: rows[path] for path in unknown if path in rows})
    with ThreadPoolExecutor(state.request.workers) as pool:
        now = dict(zip(hashes, pool.map(lambda path: hash_of(folder / path), hashes), strict=True))

    def same(path: str) -> bool:
        if hashes[path] is not None:
            return bool(hashes[path] == now[path])
        if path in pixels:
            return pixels[path]
        # Of files in the image folder that are neither of a site nor a table only the name counts.
        read = not images or path in rows or path.lower().endswith(TABLE_ENDINGS)
        return new or not read

    return {path: Verdict(now[path], same(path)) for path in hashes}


def hash_of(path: Path) -> str | None:
    """SHA-256 of a file, or of a folder that is one image; None where it cannot be read."""
    try:
        return folder_digest(path) if path.is_dir() else file_digest(path) or None
    except OSError:
        return None


def rows_by_file(
    state: State, only: pl.DataFrame | None = None
) -> dict[str, list[tuple[str, str]]]:
    """Site and channel of the rows that each file has in the table of sites.

    Args:
        state: The run.
        only: Rows whose size and time are no longer that of these files are left out: they have
            other keys anyway.
    """
    frame = _sites(state)
    facts = {} if only is None else {path: rest for path, *rest in only.select(STAT).iter_rows()}
    found: dict[str, list[tuple[str, str]]] = {}
    for site, channel, paths, size, time in frame.select(
        "site_id", "channel", "paths", "size", "mtime_ns"
    ).iter_rows():
        files = list(dict.fromkeys(map(file_of, paths or ())))
        if only is not None and len(files) == 1 and facts.get(files[0]) != [size, time]:
            continue
        for file in files:
            found.setdefault(file, []).append((site, channel))
    return found


def files_without_pixels(state: State) -> set[str]:
    """The images of sites that no step will decode, or that none could, as far as that is known."""
    frame = _sites(state).select("site_id", "paths", "status")
    if state.run.pixels.is_file():
        with suppress(FormatError):
            noted = read_table(state.run.pixels, PIXEL_TABLE, columns=["site_id"])["site_id"]
            frame = frame.filter(~pl.col("site_id").is_in(noted.unique().to_list()))
            return {file_of(path) for paths in frame["paths"].to_list() for path in paths or ()}
    aside = frame.filter(pl.col("status") != "ok")["paths"].to_list()
    return {file_of(path) for paths in aside for path in paths or ()}


def _sites(state: State) -> pl.DataFrame:
    try:
        return read_table(state.run.sites, SITES) if state.run.sites.is_file() else _none()
    except FormatError:
        return _none()


def _none() -> pl.DataFrame:
    return empty_frame(SITES)


def _pixels_as_before(state: State, rows: Mapping[str, list[tuple[str, str]]]) -> dict[str, bool]:
    """Whether these files show the pixels that were noted; those of which none was are left out."""
    wanted = {row for own in rows.values() for row in own}
    noted = _noted_pixels(state, sorted({site for site, _ in wanted}))
    frame = _sites(state).filter(pl.col("site_id").is_in(list({site for site, _ in wanted})))
    todo = [
        replace(site, files=(entry,))
        for site in sites_of(frame)
        for entry in site.files
        if (site.id, entry.channel.name) in wanted & noted.keys()
    ]
    decode = partial(_shown, images=state.request.folder)
    with ThreadPoolExecutor(state.request.workers) as pool:
        shown = dict(zip(_names(todo), pool.map(decode, todo), strict=True))
    verdicts = {}
    for path, own in rows.items():
        answers = [shown[row] == noted[row] for row in own if row in shown]
        if answers:
            verdicts[path] = all(answers)
    return verdicts


def _names(todo: Iterable[Site]) -> list[tuple[str, str]]:
    return [(site.id, site.files[0].channel.name) for site in todo]


def _shown(site: Site, images: Path) -> str:
    """The hash of the one channel of this site; empty where it cannot be decoded."""
    try:
        return plane_digest(read_field(site, images).pixels[0])
    except InputError:
        return ""


def _noted_pixels(state: State, sites: list[str]) -> dict[tuple[str, str], str]:
    """The hash of pixels by site and channel, as the step that decodes noted it."""
    step = next((s for s in state.request.recipe.steps if PIXELS in s.spec.writes), None)
    if step is None:
        return {}
    latest = state.log(log_name(step)).latest
    records = {site: latest[site] for site in sites if site in latest}
    done = {site: r.shard for site, r in records.items() if r.key and r.error is None}
    shards = Shards(state.run.temporary / step.name, PIXEL_TABLE, state.run.pixels)
    try:
        frames = list(shards.in_order(done, empty_frame(PIXEL_TABLE)))
    except FormatError:
        return {}
    return {
        (site, channel): sha
        for frame in frames
        for site, channel, sha in frame.select("site_id", "channel", "sha256").iter_rows()
    }
