"""Folders of Micro-Manager 1: `Pos3/img_000000002_DAPI_004.tif` (frame, channel, slice).

Source: Micro-Manager 1.4, "separate image files" (Edelstein et al. 2010); later versions write the
words `channel`, `position`, `time` and `z` into the names, which other layouts read. The folder is
the field. Slices are one stack, frames are times.
"""

import re

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.stages.read.names import Named, match_names, place_of, share

_NAME = re.compile(r"img_(?P<time>\d{9})_(?P<channel>.+)_(?P<z>\d{3})", re.IGNORECASE)
_SPECIFIC = 0.92


def build() -> Layout:
    """Make the layout."""
    return Layout(
        lambda listing: share(len(match_names(listing, _NAME)[0]), listing, specific=_SPECIFIC),
        _arrange,
    )


def _arrange(listing: Listing) -> Arrangement:
    named, rest = match_names(listing, _NAME)
    several = len({name.get("time") for name in named}) > 1
    planes = tuple(_plane(name, listing, several=several) for name in named)
    return Arrangement(planes, tuple(rest))


def _plane(name: Named, listing: Listing, *, several: bool) -> Plane:
    raw = "/".join(name.folders) or listing.folder.name
    return Plane(
        raw,
        raw,
        name.get("channel"),
        name.path,
        z=int(name.get("z")),
        t=int(name.get("time")) if several else None,
        metadata=place_of(name.folders, "_".join(name.folders)),
    )
