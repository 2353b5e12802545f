"""Names of Harmony, the software of Opera Phenix and Operetta: `r01c02f03p04-ch5sk1fk1fl1.tiff`.

Source: PerkinElmer/Revvity Harmony exports (row, column, field, plane, channel, time), as listed by
CellProfiler and Cell Painting Gallery. Planes of one field are one stack, times (`sk`) are not.
"""

import re

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.domain.records import row_letters
from cellwise.stages.read.names import (
    Named,
    match_names,
    plain_number,
    share,
    time_number,
    well_place,
)

_NAME = re.compile(
    r"(?P<raw>r(?P<row>\d{2})c(?P<column>\d{2})f(?P<site>\d{2,4}))p(?P<z>\d{2,3})(?P<record>rc\d{1,2})?"
    r"-ch(?P<channel>\d{1,2})(?:sk(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?",
    re.IGNORECASE,
)
_SPECIFIC = 0.96


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
    well = f"{row_letters(int(name.get('row')))}{int(name.get('column')):02d}"
    site_id, metadata = well_place("_".join(name.folders), well, plain_number(name.get("site")))
    return Plane(
        site_id=site_id,
        raw_id="/".join((*name.folders, name.get("raw"))),
        # Harmony 3 numbers what was recorded as well.
        channel=f"{name.get('record').lower()}ch{int(name.get('channel'))}",
        path=name.path,
        z=int(name.get("z")),
        t=time_number(name.get("time")),
        metadata=metadata,
    )
