"""Well and channel in the file name: `A01_dna.png`, `B7_f3_DAPI.tif`, `plate1_C03_s2_w1.tif`.

Source: the re-encoded BBBC013 plate (Ljosa et al. 2012, one file per well and stain) and Cell
Painting exports (Bray et al. 2016) with a site between well and channel. Folders above the file,
other than `images`, name the plate where the file does not.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.domain.plain_words import counted
from cellwise.domain.records import normalise_well
from cellwise.stages.read.channels.tokens import sort_of
from cellwise.stages.read.names import (
    WELL,
    Named,
    match_names,
    one_channel_set,
    plain_number,
    share,
    spelling,
    well_place,
)
from cellwise.store.stains import compared, words

_NAME = re.compile(
    rf"(?P<raw>(?:(?P<plate>.+?)_)?(?P<well>{WELL})"
    r"(?:_(?:field|site|fld|f|s)?[-_]?(?P<site>\d{1,4}))?)"
    r"(?:_z(?P<z>\d+))?_(?P<channel>(?![sfzt]\d+(?:_|f\d|$))[A-Za-z][A-Za-z0-9+.-]*)(?:_z(?P<z_last>\d+))?",
    re.IGNORECASE,
)
_SPECIFIC = 0.8


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    named, _ = _named(listing)
    if _number_channels(named) or not one_channel_set(_plane(name) for name in named):
        return None
    return share(len(named), listing, specific=_SPECIFIC)


def _arrange(listing: Listing) -> Arrangement:
    named, rest = _named(listing)
    planes = tuple(_plane(name) for name in named if not _is_made(name))
    made = sorted({name.get("channel") for name in named if _is_made(name)})
    count = len(named) - len(planes)
    if not planes:
        return Arrangement(tuple(_plane(name) for name in named), tuple(rest))
    note = f"Made from channels and not used: {counted(count, 'images')} ({', '.join(made)})."
    return Arrangement(planes, tuple(rest), notes=(note,) if made else ())


def _is_made(name: Named) -> bool:
    """Whether an image is a mask, or an image of several channels together."""
    return compared(name.get("channel")) in words("made image")


def _number_channels(named: Sequence[Named]) -> bool:
    """Whether `c1`, `c2` are no wells: each field has all of them, and one word follows them all.

    So ZEN exports: `Experiment-07_c1_ORG.tif`, behind the name of an image. A stain or an index is
    the channel of wells.
    """
    wells: dict[str, set[str]] = defaultdict(set)
    for name in named:
        wells["/".join((*name.folders, name.get("plate"), name.get("site")))].add(name.get("well"))
    every = set().union(*wells.values())
    behind = {spelling(name.get("channel")) for name in named}
    return (
        len(behind) == 1
        and sort_of([named[0].get("channel")]) == "word"
        and len(every) > 1
        and all(name.get("plate") for name in named)
        and all(re.fullmatch(r"[cC]\d", well) for well in every)
        and all(found == every for found in wells.values())
    )


def _named(listing: Listing) -> tuple[list[Named], list[str]]:
    named, rest = match_names(listing, _NAME)
    fitting = [name for name in named if normalise_well(name.get("well")) is not None]
    no_well = [name.path for name in named if normalise_well(name.get("well")) is None]
    return fitting, sorted([*rest, *no_well])


def _plane(name: Named) -> Plane:
    plate = name.get("plate") or "_".join(name.folders)
    site_id, metadata = well_place(plate, name.get("well"), plain_number(name.get("site")))
    return Plane(
        site_id=site_id,
        raw_id="/".join((*name.folders, name.get("raw"))),
        channel=name.get("channel"),
        path=name.path,
        z=int(name.get("z") or name.get("z_last") or 0),
        metadata=metadata,
    )
