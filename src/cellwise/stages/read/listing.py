"""What lies in a folder: images, tables, other files, and what was passed over, all counted."""

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cellwise.contracts.layout import Listing, Problem
from cellwise.domain.headers import Header
from cellwise.domain.steps import Report
from cellwise.errors import InputError, PreflightError
from cellwise.stages.read._unread import HALF_COPIED, unread_files
from cellwise.store.images.fields import read_header
from cellwise.store.images.microscope_files import MAKERS, can_read
from cellwise.store.images.ome_zarr import folder_facts
from cellwise.store.images.zarr_plates import broken_wells, images_in

PLAIN_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
# A Zarr is a folder; files of microscopes are read where their reader is installed.
IMAGE_ENDINGS = (*PLAIN_ENDINGS, *MAKERS, ".zarr")
TABLE_ENDINGS = (".csv", ".tsv", ".txt")
# Label images lie in folders of these names; they are no fields.
_PASSED_OVER = {
    *("mask", "masks", "label", "labels", "truth", "segmentation", "segmentations", "outlines"),
    *("groundtruth", "ground_truth", "annotations", "__macosx"),
    *("thumbnails", "thumbnail", "thumbs", "thumb"),
    # What systems keep of deleted and earlier files, and their own small copies.
    *("$recycle.bin", "recycler", "#recycle", "@recycle", "system volume information"),
    *("#snapshot", "~snapshot", "lost+found", "@eadir"),
}
# What Cellpose writes beside the images it was shown.
_ARRAYS = (".npy", ".npz")
_MASKS_BESIDE = ("_cp_masks", "_cp_outlines")
# A finished run inside the image folder holds masks and crops, not fields.
_RUN_FILES = {"sites.parquet", "run.json"}
# What lies in a folder that is one array.
_ARRAY_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_REPORT_EVERY = 500


def list_folder(folder: Path) -> Listing:
    """List a folder and all below it; nothing is decoded and no image is opened.

    Raises:
        PreflightError: The folder is not there, is a file, cannot be read, or holds no image.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise PreflightError(f"{folder} {what}. Give the folder that holds the images.")
    walk = _Walk()
    walk.enter(folder, "")
    listing = Listing(
        folder=folder,
        images=tuple(sorted(walk.images)),
        tables=tuple(sorted(walk.tables)),
        stats=walk.images,
        others=dict(sorted(walk.others.items())),
        ignored=dict(sorted(walk.ignored.items())),
        problems=tuple(walk.problems),
    )
    if not listing.images:
        raise PreflightError(_nothing(listing))
    return listing


def read_headers(
    folder: Path, paths: Iterable[str], *, workers: int = 4, report: Report | None = None
) -> dict[str, Header | InputError]:
    """The header of each file, or the error that stands for it; read by `workers` threads."""
    todo = list(paths)
    found: dict[str, Header | InputError] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(lambda path: _try_header(folder / path), todo)
        for number, (path, result) in enumerate(zip(todo, results, strict=True), start=1):
            found[path] = result
            if report is not None and (number % _REPORT_EVERY == 0 or number == len(todo)):
                report(number, len(todo), "image headers")
    return found


def _try_header(path: Path) -> Header | InputError:
    try:
        return read_header(path)
    except InputError as error:
        return error


@dataclass(slots=True)
class _Walk:
    """The state of one walk; folders are told apart by device and inode, so that loops end."""

    images: dict[str, tuple[int, int]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def enter(self, folder: Path, prefix: str, ignored_as: str = "") -> None:
        """Walk one folder; `ignored_as` names the reason why its files are only counted."""
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            reason = f"The folder cannot be read: {error.strerror or error}."
            self._note("unreadable_folder", prefix or ".", reason, "Check its permissions.")
            return
        if (status.st_dev, status.st_ino) in self.seen:
            self._note(
                "folder_twice",
                prefix,
                "A link leads back to a folder already listed.",
                "Nothing to do; remove the link to silence this.",
            )
            return
        self.seen.add((status.st_dev, status.st_ino))
        if prefix and not ignored_as and _RUN_FILES & {entry.name for entry in entries}:
            ignored_as = "run folders"
        for entry in entries:
            self._take(entry, prefix, ignored_as)

    def _take(self, entry: "os.DirEntry[str]", prefix: str, ignored_as: str) -> None:
        path = f"{prefix}{entry.name}"
        if not _is_text(path):
            shown = path.encode("utf-8", "backslashreplace").decode()
            self._note("name_not_text", shown, "The name is not UTF-8.", "Rename the file.")
            return
        hidden = entry.name.startswith((".", "~$")) or entry.name.lower() in (
            "thumbs.db",
            "desktop.ini",
        )
        reason = ignored_as or ("hidden files" if hidden else "")
        try:
            if entry.is_dir():
                passed = entry.name.lower() in _PASSED_OVER
                reason = reason or (f"{entry.name}/" if passed else "")
                if not reason and _is_array_folder(entry):
                    # One thing in thousands of files.
                    self._zarr(Path(entry.path), path)
                    return
                self.enter(Path(entry.path), f"{path}/", reason)
            else:
                self._file(entry, path, reason)
        except OSError as error:
            self._note(
                "not_found",
                path,
                f"The file cannot be reached: {error.strerror or error}.",
                "Repair or remove the link, then run again.",
            )

    def _zarr(self, folder: Path, path: str) -> None:
        """An OME-Zarr is an image, a plate one per field; any other Zarr is counted."""
        inside = images_in(folder)
        for image in inside:
            place = f"{path}/{image}" if image else path
            try:
                facts = folder_facts(folder / image)
            except OSError as error:
                reason = f"A field of the plate cannot be reached: {error.strerror or error}."
                self._note("not_found", place, reason, "Copy the plate again from its source.")
                continue
            self.images[place] = (facts.size, facts.times)
        wells = broken_wells(folder)
        for well, reason in wells.items():
            cure = (
                "Copy the plate again from its source, with the files .zattrs or zarr.json in it."
            )
            self._note("well_unreadable", f"{path}/{well}", reason, cure)
        if not inside and not wells:
            self.others[".zarr"] += 1

    def _file(self, entry: "os.DirEntry[str]", path: str, reason: str) -> None:
        ending = Path(entry.name).suffix.lower()
        if not reason and Path(entry.name).stem.lower().endswith(_MASKS_BESIDE):
            reason = "masks of Cellpose"
        folder = path.split("/")[-2].lower() if "/" in path else ""
        if not reason and ending in _ARRAYS and folder.endswith(("mask", "masks")):
            # As `prepare hpa-512` writes them: masks for --masks, not images to be converted.
            reason = f"{folder}/"
        if reason:
            self.ignored[reason] += 1
        elif ending in PLAIN_ENDINGS or can_read(ending):
            status = entry.stat()
            self.images[path] = (status.st_size, status.st_mtime_ns)
        else:
            inner = Path(Path(entry.name).stem).suffix.lower()
            half = ending in HALF_COPIED and inner in PLAIN_ENDINGS
            self.others[(f"{inner}{ending}" if half else ending) or "(no ending)"] += 1
            if ending in TABLE_ENDINGS:
                self.tables.append(path)

    def _note(self, code: str, path: str, reason: str, remedy: str) -> None:
        self.problems.append(Problem(code, path, reason, remedy))


def _is_array_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether a folder is an array in pieces (Zarr, OME-Zarr, N5) and no folder of images."""
    if entry.name.lower().endswith((".zarr", ".n5")):
        return True
    try:
        return any((Path(entry.path) / name).is_file() for name in _ARRAY_FILES)
    except PermissionError:
        # Told of where it is entered.
        return False


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _nothing(listing: Listing) -> str:
    unread = unread_files(listing.others)
    cure = f"{unread[0].remedy} " if unread else ""
    parts = [f"{count} {ending}" for ending, count in listing.others.items()]
    parts += [f"{count} in {what}" for what, count in listing.ignored.items()]
    parts += [f"{problem.path}: {problem.reason}" for problem in listing.problems[:3]]
    inside = f" It holds: {', '.join(parts)}." if parts else " It is empty."
    return (
        f"{listing.folder} holds no image ({', '.join(PLAIN_ENDINGS)}).{inside} "
        f"{cure}Give the folder that holds the images."
    )
