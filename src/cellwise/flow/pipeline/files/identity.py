"""Whether a file outside the run is still the one it was, beside its name, size and time of change.

Size and time are equal after names were exchanged, after a file was unpacked over another and after
an edit whose time was set back. So what the disk says beside them is remembered: the time of any
change (`ctime`) and the place (inode). Where these agree, nothing is opened. Where they differ
while size and time agree, the content decides: by its hash where one is known, else by the hash of
its pixels, which decoding noted. A copied folder is so read once more, and no work is done again. A
content that is another one stands in the keys of its sites; keys of all others stay what they were.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import polars as pl

from cellwise.domain.tables import KNOWN_FILES
from cellwise.errors import FormatError, StorageError
from cellwise.flow.pipeline.contents import content_path
from cellwise.flow.pipeline.files.listed import Listed, list_files
from cellwise.flow.pipeline.files.same_content import (
    STAT,
    Verdict,
    files_without_pixels,
    hash_of,
    look_at,
    rows_by_file,
)
from cellwise.flow.pipeline.state import State
from cellwise.stages.read.listing import TABLE_ENDINGS
from cellwise.store.run.tables import empty_frame, read_table, write_table

# The image folder in the table of files; other folders are named by step and option.
_IMAGES = ""
# Files up to this size are hashed where no pixels are noted of them.
_MOST_BYTES = 1 << 24
_LETTERS = 24
_SHOWN = 3
# So many files take a person's time.
_MANY = 500


def recognise(state: State, images: Listed) -> None:
    """Compare the files outside the run with what is remembered, and tell `state` which changed.

    Args:
        state: Of a run that has done nothing yet; it is given what later steps ask for.
        images: The image folder as it is now.
    """
    before = _remembered(state)
    known = []
    for name, listed in {_IMAGES: images, **_folders(state)}.items():
        own = None if before is None else before.filter(pl.col("folder") == name)
        now = _compared(state, name, listed, own)
        changed = now.filter((pl.col("content") != "") & pl.col("there"))
        contents = dict(changed.select("path", "content").iter_rows())
        if name == _IMAGES:
            state.contents, state.listing = contents, listed.digest_with(contents)
        else:
            state.folders[str(listed.folder)] = listed.digest_with(contents)
        known.append(now.select(*KNOWN_FILES.columns))
    state.known = pl.concat(known)


def remember(state: State) -> None:
    """Write down what is known of the files, if it is not what was.

    Raises:
        StorageError: The disk is full or read-only, or something else lies there.
    """
    if state.known is None:
        return
    before, known = _remembered(state), state.known.sort(KNOWN_FILES.sort)
    if before is not None and known.equals(before):
        return
    path = state.run.known_files
    try:
        write_table(path, KNOWN_FILES, known)
    except OSError as error:
        raise StorageError(
            error.errno,
            f"Cannot write {path}: {error.strerror}. Make room there, or allow writing.",
        ) from error


def learn(state: State) -> None:
    """Hash small files of which no pixels are noted, once: nothing else tells their content later.

    Those are tables, masks, and images of sites that are set aside.
    """
    known = state.known
    if known is None:
        return
    folders = {_IMAGES: state.request.folder}
    folders |= {name: listed.folder for name, listed in _folders(state, look=False).items()}
    unnoted = files_without_pixels(state)
    noted = [path for path in rows_by_file(state) if path not in unnoted]
    images = {str(state.request.folder / path) for path in noted}
    table = pl.col("path").str.to_lowercase().str.contains(rf"({'|'.join(TABLE_ENDINGS)})$")
    small = pl.col("sha256").is_null() & (pl.col("size") <= _MOST_BYTES)
    read = table | pl.col("path").is_in(list(unnoted))
    wanted = known.filter(small & ((pl.col("folder") != _IMAGES) | read))
    places = [
        (name, path, folders[name] / path)
        for name, path in wanted.select("folder", "path").iter_rows()
        if name in folders and str(folders[name] / path) not in images
    ]
    if not places:
        return
    with ThreadPoolExecutor(state.request.workers) as pool:
        hashes = list(pool.map(lambda place: hash_of(place[2]), places))
    found = pl.DataFrame(
        [(name, path, sha) for (name, path, _), sha in zip(places, hashes, strict=True)],
        schema={"folder": pl.String, "path": pl.String, "found": pl.String},
        orient="row",
    )
    filled = known.join(found, on=["folder", "path"], how="left", maintain_order="left")
    filled = filled.with_columns(sha256=pl.coalesce("sha256", "found"))
    state.known = filled.select(*KNOWN_FILES.columns)
    remember(state)


def _folders(state: State, *, look: bool = True) -> dict[str, Listed]:
    """Folders that options name, by step and option."""
    found = {}
    for step in state.request.recipe.steps:
        for content in step.spec.contents:
            path = content_path(content, step) if content.what == "folder" else None
            if path is not None and path.is_dir():
                listed = list_files(path) if look else Listed(path, pl.DataFrame(), "")
                found[f"{step.title}: {content.option}"] = listed
    return found


def _remembered(state: State) -> pl.DataFrame | None:
    path = state.run.known_files
    try:
        return read_table(path, KNOWN_FILES) if path.is_file() else None
    except FormatError:
        # Only a failing disk tears it; the time of the run before serves instead.
        return None


def _compared(state: State, name: str, listed: Listed, before: pl.DataFrame | None) -> pl.DataFrame:
    """The files of one folder as they are to be remembered; `there` says which are in it now."""
    old = empty_frame(KNOWN_FILES) if before is None else before
    old = old.unique("path", keep="first", maintain_order=True)
    was = old.rename({"ctime_ns": "was_ctime", "inode": "was_inode"}).drop("folder")
    now = listed.files.join(was, on=STAT, how="left", maintain_order="left").with_columns(
        folder=pl.lit(name), content=pl.col("content").fill_null(""), there=pl.lit(value=True)
    )
    matched = pl.col("was_ctime").is_not_null()
    other_place = (pl.col("inode") != pl.col("was_inode")).fill_null(value=False)
    other_time = pl.col("ctime_ns") != pl.col("was_ctime")
    if before is None:
        # A run made before this was remembered: whatever was touched since it began.
        suspect = pl.lit(value=name == _IMAGES) & (pl.col("ctime_ns") >= _begun(state))
    else:
        suspect = matched & (other_place | other_time)
    suspects = now.filter(suspect)
    _say_looking(state, listed.folder, suspects.height)
    verdicts = look_at(state, listed.folder, suspects, images=name == _IMAGES, new=before is None)
    _say_changed(state, listed.folder, verdicts)
    # An inode that changes by itself, as on some network disks, is not asked again.
    moved = set(suspects.filter(matched & ~other_time)["path"])
    restless = [path for path, verdict in verdicts.items() if verdict.same and path in moved]
    unasked = (matched & pl.col("was_inode").is_null()) | pl.col("path").is_in(restless)
    hashes = {path: v.sha256 for path, v in verdicts.items() if v.sha256}
    contents = {
        path: (v.sha256 or "unreadable")[:_LETTERS] for path, v in verdicts.items() if not v.same
    }
    path = pl.col("path")
    now = now.with_columns(
        inode=pl.when(unasked).then(None).otherwise(pl.col("inode")),
        sha256=path.replace_strict(hashes, default=pl.col("sha256"), return_dtype=pl.String),
        content=path.replace_strict(contents, default=pl.col("content"), return_dtype=pl.String),
    )
    # What is gone may come back, as the same or as another.
    gone = old.join(now.select("path"), on="path", how="anti").with_columns(
        there=pl.lit(value=False)
    )
    return pl.concat([now.select(gone.columns), gone])


def _begun(state: State) -> int:
    """When the run before was begun, in ns; beyond all times where there was none."""
    try:
        begun = datetime.fromisoformat(str(state.earlier.get("started")))
    except ValueError:
        return 2**63 - 1
    return int(begun.timestamp()) * 10**9


def _say_looking(state: State, folder: Path, count: int) -> None:
    """Say what takes its time: comparing few files does not."""
    if count >= _MANY:
        state.listener.message(
            f"{folder}: {count:,} files lie elsewhere on the disk or were touched, sizes and times "
            "of change as before. Their content is compared, once."
        )


def _say_changed(state: State, folder: Path, verdicts: Mapping[str, Verdict]) -> None:
    changed = sorted(path for path, verdict in verdicts.items() if not verdict.same)
    if changed:
        more = ", ..." if len(changed) > _SHOWN else ""
        state.listener.message(
            f"{folder}: {len(changed):,} {'file has' if len(changed) == 1 else 'files have'} "
            "another content under the same name, size and time "
            f"({', '.join(changed[:_SHOWN])}{more})."
        )
