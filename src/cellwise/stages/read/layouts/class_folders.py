"""Folders named after classes: `Golgi/field1.tif`, `Control/img3_dapi.png`.

Source: the folder-per-class form of image classification tools (BiaPy, Piximi, torchvision's
ImageFolder). Above the class folders there may be `train` and `test`; a folder `unlabelled` labels
nothing. Files hold several channels, end in a stain's name, or are one channel each.
"""

import re
from collections import Counter

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.stages.read._files import count_channels, planes_in_file, split_suffixes, stem_of
from cellwise.stages.read.names import meaning_folders

_SPECIFIC = 0.75
_PARTS = {"train": "train", "test": "test", "val": "train", "valid": "train"}
_UNLABELLED = {"unlabelled", "unlabeled", "unknown"}
# Folders of these names are places, not classes.
_PLACE = re.compile(
    r"(plate|batch|experiment|exp|well|site|field|timepoint|zstep|week|day|run|br)[\W_]*\d.*"
    r"|\d+|[a-p]-?\d{1,2}|train|test|val|valid",
    re.IGNORECASE,
)


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    folders = [_class_folders(path) for path in listing.images]
    classes = {found[-1] for found in folders if found}
    fits = [len(found) == 1 and not _PLACE.fullmatch(found[0]) for found in folders]
    return _SPECIFIC if all(fits) and len(classes - _UNLABELLED) >= 2 else None


def _arrange(listing: Listing) -> Arrangement:
    paths = listing.images
    split = split_suffixes(paths)
    counts = Counter(count_channels(listing.header(path)) for path in paths)
    usual = counts.most_common(1)[0][0]
    planes: list[Plane] = []
    labels: dict[str, str] = {}
    parts: dict[str, str] = {}
    for path in paths:
        rest = split[path][0] if split else stem_of(path)
        raw = "/".join((*meaning_folders(path), rest))
        labels[raw] = _label(path)
        parts[raw] = _part(path)
        if split:
            planes.append(Plane(raw, raw, split[path][1], path))
        else:
            planes += planes_in_file(
                listing, path, site_id=raw, raw_id=raw, metadata={}, usual=usual
            )
    note = (
        f"The folders name the classes ({', '.join(sorted(set(labels.values()) - {''}))}). If they "
        "are plates or batches, take another --layout, or give the labels with --labels."
    )
    return Arrangement(
        tuple(planes),
        labels=labels,
        parts={raw: part for raw, part in parts.items() if part},
        labels_file="the names of the folders",
        notes=(note,),
    )


def _label(path: str) -> str:
    """The class a file's folder names; files that lie in no class folder have no label."""
    folders = _class_folders(path)
    label = folders[-1] if folders else ""
    return "" if label.lower() in _UNLABELLED else label.replace("|", "_")


def _class_folders(path: str) -> tuple[str, ...]:
    """The folders of a path that may name a class: all but a leading `train` or `test`."""
    folders = meaning_folders(path)
    return folders[1:] if len(folders) > 1 and folders[0].lower() in _PARTS else folders


def _part(path: str) -> str:
    folders = meaning_folders(path)
    return _PARTS.get(folders[0].lower(), "") if len(folders) > 1 else ""
