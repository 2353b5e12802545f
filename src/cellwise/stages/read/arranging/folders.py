"""Folders that may be classes or places (plates, wells, batches): the other meaning is said."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence

from cellwise.contracts.layout import Arrangement, Layout, Listing
from cellwise.stages.read.layouts.class_folders import classes_of

# Folders of these names say that they are no classes.
_PLACE = re.compile(
    r"(plate|barcode|batch|experiment|exp|well|site|field|position|pos|fov|scan|row|col|column"
    r"|timepoint|time|zstep|week|day|run|rep|replicate|date)[\W_]*(\d.*|[a-z])?"
    r"|.*\d{5,}.*|train|test|val|valid",
    re.IGNORECASE,
)
# With fewer fields a folder is a field; more classes have no folder each.
_LEAST, _MOST = 2, 60
_SHOWN = 4


def taken_as_places(taken: Arrangement, classes: Layout, listing: Listing, *, layout: str) -> str:
    """A note where nothing settles that folders are places and no classes; empty where it does.

    Args:
        taken: The folder as the layout reads it, without labels from folders.
        classes: The layout that takes folders as classes.
        listing: The folder.
        layout: Name of the layout that is taken.
    """
    found = classes_of(listing)
    fields = {(plane.part, plane.site_id): found.get(plane.path, "") for plane in taken.planes}
    names = Counter(fields.values())
    folders = [name for name, count in names.items() if name and count >= _LEAST]
    if not _LEAST <= len(folders) <= _MOST or all(_PLACE.fullmatch(name) for name in folders):
        return ""
    other = classes.arrange(listing)
    if len(set((other.labels or {}).values()) - {""}) < _LEAST:
        return ""
    return (
        f"The folders {_some(folders)} are taken as {_places(taken)}, not as classes (layout "
        f"{layout}). If they are classes: {_command(listing, 'class_folders')}"
    )


def taken_as_classes(listing: Listing, others: Sequence[str]) -> str:
    """The note of how folders that are taken as classes are read as places.

    Args:
        listing: The folder.
        others: Other layouts that fit, the most specific first.
    """
    # What fits any folder of images.
    how = _command(listing, others[0] if others else "single_channel")
    return (
        "If these folders are plates, wells or batches and no classes, give the labels with "
        f"--labels, or leave them out: {how}"
    )


def _places(taken: Arrangement) -> str:
    """What the layout made of the folders."""
    known = {name for plane in taken.planes for name in plane.metadata}
    if "Plate" in known:
        return "plates"
    return "wells" if "Well" in known else "parts of names"


def _some(names: list[str]) -> str:
    shown = sorted(names, key=lambda name: [(len(w), w) for w in re.findall(r"\d+|\D+", name)])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _command(listing: Listing, layout: str) -> str:
    return shlex.join(["cellwise", "check", str(listing.folder), "--layout", layout])
