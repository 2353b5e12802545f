"""Folders named after classes: `Golgi/field1.tif`, `Control/img3_dapi.png`.

Source: the folder-per-class form of image classification tools (BiaPy, Piximi, torchvision's
ImageFolder). Above the class folders there may be `train` and `test`; a folder `unlabelled` labels
nothing. Files hold several channels, are told apart by their stain, or are one channel each.
"""

import re
from collections import Counter, defaultdict

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.domain.plain_words import counted
from cellwise.stages.read._files import count_channels, planes_in_file, stem_of
from cellwise.stages.read.channels.split_names import named_planes, split_names, without_z
from cellwise.stages.read.channels.varying import Varying
from cellwise.stages.read.names import meaning_folders, place_of, wells_for

_SPECIFIC = 0.75
# Above layouts that read wells in the names: these folders are no plates.
_SURE = 0.85
_MOST_OUTSIDE = 0.1
_PARTS = {"train": "train", "test": "test", "val": "train", "valid": "train"}
_UNLABELLED = {"unlabelled", "unlabeled", "unknown"}
# Folders of these names are places, not classes.
_PLACE = re.compile(
    r"(plate|batch|experiment|exp|well|site|field|timepoint|zstep|week|day|run|br|rep|replicate"
    r"|pos|position|xy|fov|tile|scene|series|scan)"
    r"[\W_]*(\d.*|[a-z])|\d+|[a-p]-?\d{1,2}|train|test|val|valid",
    re.IGNORECASE,
)


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    varying = split_names(listing)
    folders = [_class_folders(_folders(path, varying)) for path in listing.images]
    classes = {found[-1] for found in folders if found}
    inside = [found for found in folders if found]
    fits = all(len(found) == 1 and not _PLACE.fullmatch(found[0]) for found in inside)
    if not fits or len(folders) - len(inside) > _MOST_OUTSIDE * len(folders):
        return None
    # A folder for each site, with files called by their channel alone.
    if varying is not None and not any(split.rest for split in varying.splits.values()):
        return None
    if len(classes - _UNLABELLED) < 2 or _one_field_each(listing, varying):
        return None
    return _SURE if _no_plates(listing, varying) else _SPECIFIC


def _one_field_each(listing: Listing, varying: Varying | None) -> bool:
    """Whether folders that differ in a number hold one field each, which is called like its folder.

    So `cells 12/cells 12_c1.tif`; of several fields, as in `dose 10/dose 10_004.tif`, the folder
    may be the class.
    """
    found = [(_folders(path, varying), stem_of(path)) for path in listing.images]
    named = [(_class_folders(folders)[-1], stem) for folders, stem in found if folders]
    forms = {re.sub(r"\d+", "#", folder) for folder, _ in named}
    (form,) = forms if len(forms) == 1 else ("",)
    if "#" not in form or not all(s.lower().startswith(f.lower()) for f, s in named):
        return False
    fields = {(_folders(path, varying), _field_of(path, varying)) for path in listing.images}
    return len(fields) == len({folders for folders, _ in fields})


def _field_of(path: str, varying: Varying | None) -> str:
    """What a file's name says besides channel and plane."""
    split = varying.splits.get(path) if varying is not None else None
    return without_z(split.rest if split is not None else stem_of(path))[0].lower()


def _no_plates(listing: Listing, varying: Varying | None) -> bool:
    """Whether folders cannot be plates: words without a number that share no name of a file."""
    if varying is None:
        return False
    seen: dict[str, set[str]] = defaultdict(set)
    for split in varying.splits.values():
        seen[split.rest.lower()].add("/".join(split.folders).lower())
    names = {_label_of(_folders(path, varying)) for path in listing.images}
    return all(len(folders) == 1 for folders in seen.values()) and not any(
        re.search(r"\d", name) for name in names
    )


def _arrange(listing: Listing) -> Arrangement:
    varying = split_names(listing)
    labels: dict[str, str] = {}
    parts: dict[str, str] = {}
    planes, rest, notes = _planes(listing, varying)
    for plane in planes:
        folders = _folders(plane.path, varying)
        labels[plane.site_id], parts[plane.site_id] = _label_of(folders), _part(folders)
    outside = sum(not _class_folders(_folders(plane.path, varying)) for plane in planes)
    named = ", ".join(sorted(set(labels.values()) - {""}))
    note = f"The folders name the classes ({named})."
    strays = f"In no class folder and without a label: {counted(outside, 'images')}."
    return Arrangement(
        tuple(planes),
        tuple(rest),
        labels=labels,
        parts={raw: part for raw, part in parts.items() if part},
        labels_file="the names of the folders",
        notes=(note, *([strays] if outside else []), *notes),
    )


def _planes(
    listing: Listing, varying: Varying | None
) -> tuple[list[Plane], list[str], tuple[str, ...]]:
    if varying is not None:
        planes, notes = named_planes(listing, varying, plates=False)
        return planes, [path for path in listing.images if path not in varying.splits], notes
    counts = Counter(count_channels(listing.header(path)) for path in listing.images)
    usual = counts.most_common(1)[0][0]
    places = {path: place_of((), stem_of(path)) for path in listing.images}
    wells, notes = wells_for(list(places.values()))
    planes = []
    for path in listing.images:
        raw = "/".join((*meaning_folders(path), stem_of(path)))
        metadata = places[path] if wells else {}
        planes += planes_in_file(
            listing, path, site_id=raw, raw_id=raw, metadata=metadata, usual=usual
        )
    return planes, [], notes


def classes_of(listing: Listing) -> dict[str, str]:
    """The class that the folders of each file name; empty for files in no folder of a class."""
    varying = split_names(listing)
    return {path: _label_of(_folders(path, varying)) for path in listing.images}


def _folders(path: str, varying: Varying | None) -> tuple[str, ...]:
    """The folders of a path, without the one that names its channel."""
    split = varying.splits.get(path) if varying is not None else None
    return split.folders if split is not None else meaning_folders(path)


def _label_of(folders: tuple[str, ...]) -> str:
    """The class that folders name; files that lie in no class folder have no label."""
    found = _class_folders(folders)
    label = found[-1] if found else ""
    return "" if label.lower() in _UNLABELLED else label.replace("|", "_")


def _class_folders(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The folders that may name a class: all but a leading `train` or `test`."""
    return folders[1:] if len(folders) > 1 and folders[0].lower() in _PARTS else folders


def _part(folders: tuple[str, ...]) -> str:
    return _PARTS.get(folders[0].lower(), "") if len(folders) > 1 else ""
