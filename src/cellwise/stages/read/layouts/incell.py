"""Names of GE INCell: `A - 01(fld 2 wv Blue - FITC).tif` and the newer `A_01_f2_c1_xUV_mDAPI.tif`.

Source: GE/Cytiva INCell Analyzer exports as CellProfiler reads them (CellProfiler pull request
3725). Planes of one field are one stack, times are not.
"""

import re

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.stages.read.names import (
    Named,
    match_names,
    plain_number,
    share,
    time_number,
    well_place,
)

_NAME = re.compile(
    r"(?P<raw>(?P<well>[A-P] - \d{1,2})\((?:fld (?P<site>\d+) )?)"
    r"wv (?P<channel>[^()]+?)(?: z (?P<z>\d+)| time (?P<time>\d+)(?: - \d+ ?m?s)?)*\)"
    r"|(?P<raw_new>(?P<well_new>[A-P]_\d{1,2})_f(?P<site_new>\d+))_c\d+"
    r"_(?P<channel_new>x[^_]+_m[^_]+)(?:_z(?P<z_new>\d+))?(?:_t(?P<time_new>\d+))?",
    re.IGNORECASE,
)
_SPECIFIC = 0.94


def build() -> Layout:
    """Make the layout."""
    return Layout(
        lambda listing: share(len(match_names(listing, _NAME)[0]), listing, specific=_SPECIFIC),
        _arrange,
    )


def _arrange(listing: Listing) -> Arrangement:
    named, rest = match_names(listing, _NAME)
    return Arrangement(tuple(_plane(name) for name in named), tuple(rest))


def _plane(name: Named) -> Plane:
    def either(group: str) -> str:
        return name.get(group) or name.get(f"{group}_new")

    site = plain_number(either("site"))
    well = either("well").replace(" ", "").replace("_", "-")
    site_id, metadata = well_place("_".join(name.folders), well, site)
    channel = name.get("channel")
    if not channel:
        excitation, emission = name.get("channel_new").split("_")
        channel = f"{excitation[1:]} - {emission[1:]}"
    return Plane(
        site_id=site_id,
        raw_id="/".join((*name.folders, either("raw").rstrip(" ("))),
        channel=channel,
        path=name.path,
        z=int(either("z") or 0),
        t=time_number(either("time")),
        metadata=metadata,
    )
