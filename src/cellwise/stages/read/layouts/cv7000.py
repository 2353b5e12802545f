"""Names of CellVoyager: `{plate}_{A01}_T0001F001L01A01Z01C01.tif`.

Source: Yokogawa CellVoyager CV7000 and CV8000 exports (time, field, line, action, plane, channel),
as the JUMP Cell Painting Consortium's sources write them. Planes of one field are one stack, times
are not.
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
    r"(?P<raw>(?:(?P<plate>.+?)_)?(?P<well>[A-Z]{1,2}\d{2})_T(?P<time>\d{4})F(?P<site>\d{3}))"
    r"L\d{2}A\d{2}Z(?P<z>\d{2})C(?P<channel>\d{2})",
    re.IGNORECASE,
)
_SPECIFIC = 0.93


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
    plate = "_".join(name.folders) or name.get("plate")
    site_id, metadata = well_place(plate, name.get("well"), plain_number(name.get("site")))
    return Plane(
        site_id=site_id,
        raw_id="/".join((*name.folders, name.get("raw"))),
        channel=f"C{name.get('channel')}",
        path=name.path,
        z=int(name.get("z")),
        t=time_number(name.get("time")),
        metadata=metadata,
    )
