"""Names of ImageXpress (MetaXpress): `{plate}_{A01}_s{1}_w{1}{GUID}.tif`.

Source: Molecular Devices MetaXpress exports as CellProfiler reads them (CellProfiler issue 505),
such as BBBC021 and BBBC039. Folders `ZStep_1` are one stack, `TimePoint_1` are times; thumbnails
are not used.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.stages.read.names import Named, match_names, plain_number, share, well_place

_GUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_NAME = re.compile(
    r"(?P<raw>(?:(?P<plate>.+?)_)?(?P<well>[A-Z]{1,2}\d{2})(?:_s(?P<site>\d+?))?)"
    rf"(?:_w(?P<channel>\d))?(?P<thumb>_?thumb)?{_GUID}",
    re.IGNORECASE,
)
_STACK_FOLDER = re.compile(r"(TimePoint|ZStep)_(\d+)", re.IGNORECASE)
_SPECIFIC = 0.95


def build() -> Layout:
    """Make the layout."""
    return Layout(
        lambda listing: share(len(match_names(listing, _NAME)[0]), listing, specific=_SPECIFIC),
        _arrange,
    )


def _arrange(listing: Listing) -> Arrangement:
    named, rest = match_names(listing, _NAME)
    plates = _without_channels(named)
    planes = tuple(_plane(name, plates) for name in named if not name.get("thumb"))
    thumbs = len(named) - len(planes)
    notes = (f"{thumbs} thumbnails are not used.",) if thumbs else ()
    return Arrangement(planes, tuple(rest), notes=notes)


def _folders_of(name: Named) -> tuple[str, ...]:
    return tuple(folder for folder in name.folders if not _STACK_FOLDER.fullmatch(folder))


def _without_channels(named: Sequence[Named]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Folders without their last word where there is one for each channel of a plate.

    So BBBC022 (`BBBC022_v1_images_20585w1`, `...w2`) and exports such as `24278-Hoechst`; empty
    where a folder holds several channels.
    """
    channels: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name in named:
        channels[_folders_of(name)].add(name.get("channel"))
    plates: dict[tuple[str, ...], list[str]] = defaultdict(list)
    shorter = {}
    for folders, found in channels.items():
        if not folders or len(found) != 1:
            return {}
        last = re.sub(r"w\d$|[\W_]+(?![^\W_]*w\d$)[^\W_]+$", "", folders[-1])
        shorter[folders] = (*folders[:-1], last) if last != folders[-1] else ("",)
        plates[shorter[folders]] += found
    alone = any(len(found) < 2 or len(set(found)) < len(found) for found in plates.values())
    return {} if alone or ("",) in plates else shorter


def _plane(name: Named, plates: Mapping[tuple[str, ...], tuple[str, ...]]) -> Plane:
    steps: dict[str, int] = {}
    folders = plates.get(_folders_of(name), _folders_of(name))
    for folder in name.folders:
        match = _STACK_FOLDER.fullmatch(folder)
        if match is not None:
            steps[match[1].lower()] = int(match[2])
    plate = "_".join(folders) or name.get("plate")
    site_id, metadata = well_place(plate, name.get("well"), plain_number(name.get("site")))
    return Plane(
        site_id=site_id,
        raw_id="/".join((*folders, name.get("raw"))),
        channel=f"w{name.get('channel') or 1}",
        path=name.path,
        z=steps.get("zstep", 0),
        t=steps.get("timepoint"),
        metadata=metadata,
    )
