"""Which folders of images with masks can be trained on, and how each is read."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.app.train_segmenter.data import Annotated, checked_labels
from cellwise.domain.channels import Channel
from cellwise.domain.plain_words import counted
from cellwise.domain.records import ChannelFile, Field, Site
from cellwise.errors import CellwiseError, FormatError, InputError, PreflightError
from cellwise.store.images.fields import read_field, read_pixels
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import mask_path, read_labels

_ENDINGS = (".tif", ".tiff", ".png")
_GROUP_COLUMNS = ("group", "well")


def read_folder(folder: Path) -> Iterator[Annotated]:
    """The annotated images of one folder.

    Raises:
        PreflightError: It holds no masks that are understood, or a broken one.
    """
    if not folder.is_dir():
        raise PreflightError(f"There is no folder {folder}.")
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        yield from _pairs(folder)
    elif (folder / "sites.parquet").is_file():
        yield from _run(folder)
    elif (folder / "truth" / "masks").is_dir():
        yield from _world(folder, folder / "truth")
    elif (folder / "masks").is_dir() and folder.name == "truth":
        yield from _world(folder.parent, folder)
    else:
        raise PreflightError(
            f"{folder} holds no masks that are understood. Give a folder with images/ and labels/ "
            "of equal names, a data set of `cellwise simulate`, or a run folder."
        )


def _pairs(folder: Path) -> Iterator[Annotated]:
    groups = _groups(folder)
    labels: dict[str, Path] = {}
    for path in _images(folder / "labels"):
        if path.stem in labels:
            raise PreflightError(
                f"{folder}: {labels[path.stem].name} and {path.name} are two masks of one image."
            )
        labels[path.stem] = path
    images = _images(folder / "images")
    if not any(path.stem in labels for path in images):
        raise PreflightError(f"{folder}: no file in labels/ has the name of one in images/.")
    for path in images:
        if path.stem not in labels:
            continue
        site = Site(
            "image",
            path.stem,
            (ChannelFile(Channel("nucleus", "nucleus"), (f"images/{path.name}",)),),
        )
        field = _field(site, folder, path.stem)
        mask = _mask(labels[path.stem])
        truth = checked_labels(mask, field.pixels.shape[1:], str(labels[path.stem]))
        group = groups.get(path.stem, path.stem)
        yield Annotated(path.stem, str(folder), f"{folder}/{group}", field, truth)


def _run(folder: Path) -> Iterator[Annotated]:
    from cellwise.store.run.sites import read_sites

    run = RunFolder(folder)
    images = Path(str((read_json(run.record).get("inputs") or {}).get("folder") or ""))
    if not images.is_dir():
        raise PreflightError(f"{folder}: its images are no longer at {images}.")
    yield from _sites(read_sites(run.sites), images, run.masks, folder, {}, {})


def _world(folder: Path, truth: Path) -> Iterator[Annotated]:
    from cellwise.flow.plan import understand_folder
    from cellwise.store.worlds.truth import read_truth

    try:
        reading = understand_folder(folder, {}).reading
    except CellwiseError as error:
        raise PreflightError(f"{folder}: its images are not understood: {error}") from error
    known = read_truth(truth)
    groups: dict[str, str] = {}
    if known.sites is not None and "group" in known.sites.columns:
        groups = dict(known.sites.select("site_id", "group").iter_rows())
    ignored: dict[str, set[int]] = {}
    if known.cells is not None:
        rows = known.cells.filter(known.cells["ignored"])
        for site_id, cell_id in rows.select("site_id", "cell_id").iter_rows():
            ignored.setdefault(site_id, set()).add(cell_id)
    yield from _sites(list(reading.usable), folder, truth / "masks", folder, groups, ignored)


def _sites(
    sites: list[Site],
    images: Path,
    masks: Path,
    source: Path,
    groups: dict[str, str],
    ignored: dict[str, set[int]],
) -> Iterator[Annotated]:
    some = False
    for site in sites:
        names = [
            name for name in (site.id, site.raw_id) if mask_path(masks, name, "cells").exists()
        ]
        if not names:
            continue
        some = True
        field = _field(site, images, site.id)
        shape = field.pixels.shape[1:]
        raw = {
            what: _mask(path)
            for what in ("nuclei", "cells")
            if (path := mask_path(masks, names[0], what)).exists()
        }
        truths = {
            what: checked_labels(labels, shape, str(mask_path(masks, names[0], what)))
            for what, labels in raw.items()
        }
        cells = truths["cells"] if truths["cells"].any() else None
        nuclei = truths.get("nuclei")
        if nuclei is not None and cells is not None and not nuclei.any():
            # Where no nucleus is written beside cells, they are unknown and not absent.
            nuclei = None
        passed = np.isin(raw["cells"], sorted(ignored.get(names[0], ())))
        numbers = frozenset(np.unique(truths["cells"][passed]).tolist())
        group = f"{source}/{groups.get(names[0], names[0])}"
        yield Annotated(site.id, str(source), group, field, nuclei, cells, numbers)
    if not some:
        raise PreflightError(
            f"{masks}: none of {counted(len(sites), 'fields')} of {images} has a mask."
        )


def _field(site: Site, root: Path, name: str) -> Field:
    try:
        return read_field(site, root)
    except InputError as error:
        raise PreflightError(f"{root}, image {name}: {error.reason} {error.remedy}") from error


def _mask(path: Path) -> npt.NDArray[Any]:
    try:
        if path.suffix.lower() == ".png":
            return read_pixels(ChannelFile(Channel("mask"), (path.name,)), path.parent)
        return read_labels(path)
    except (InputError, FormatError) as error:
        raise PreflightError(f"{path} cannot be read as a mask: {error}") from error


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)


def _groups(folder: Path) -> dict[str, str]:
    """Groups by image from `fields.csv`, which has `image` and `group` or `well`.

    Raises:
        PreflightError: It is no table in UTF-8, or names none of the images.
    """
    path = folder / "fields.csv"
    if not path.is_file():
        return {}
    try:
        # Spreadsheets begin a file with a mark that would stick to the first name.
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise PreflightError(f"{path} is no table in UTF-8: {error}") from error
    column = next((name for name in _GROUP_COLUMNS if rows and name in rows[0]), None)
    if column is None or "image" not in rows[0]:
        return {}
    groups = {_stem(row["image"]): row[column] for row in rows if row["image"] and row[column]}
    present = {one.stem for one in _images(folder / "images")}
    if not present & groups.keys():
        raise PreflightError(
            f"{path}: its column `image` names none of the images in images/, so that their "
            f"`{column}` is not known. Write their file names."
        )
    return groups


def _stem(name: str) -> str:
    """The name of an image without its ending; names may hold dots."""
    path = Path(name)
    return path.stem if path.suffix.lower() in _ENDINGS else path.name
