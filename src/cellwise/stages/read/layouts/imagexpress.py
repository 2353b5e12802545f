"""Names of ImageXpress (MetaXpress): `{plate}_{A01}_s{1}_w{1}{GUID}.tif`.

Source: Molecular Devices MetaXpress exports as CellProfiler reads them (CellProfiler issue 505),
such as BBBC021 and BBBC039. Folders `ZStep_1` are one stack, `TimePoint_1` are times; thumbnails
are not used.
"""

import re

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
    planes = tuple(_plane(name) for name in named if not name.get("thumb"))
    thumbs = len(named) - len(planes)
    notes = (f"{thumbs} thumbnails are not used.",) if thumbs else ()
    return Arrangement(planes, tuple(rest), notes=notes)


def _plane(name: Named) -> Plane:
    steps: dict[str, int] = {}
    folders = []
    for folder in name.folders:
        match = _STACK_FOLDER.fullmatch(folder)
        if match is None:
            folders.append(folder)
        else:
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
