"""Time points in names of no layout: `A01_t001_DAPI.tif`, `movie3_time-12.png`.

Taken one by one, the points of one field would be fields of their own, and a model could be tested
on the neighbour in time of what it learned from.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable

from cellwise.contracts.layout import Plane

_TIME = re.compile(
    r"(?:^|(?<=[/_\-. (]))(?:t|tp|time|timepoint|frame)[_-]?(?P<number>\d{1,6})(?=$|[/_\-. )])",
    re.IGNORECASE,
)
_BETWEEN = "_-. "


def name_times(planes: Iterable[Plane]) -> list[Plane]:
    """The planes with time points that their site's name tells, where the layout told none.

    A word of time counts only where the same name occurs with another number, and with nothing
    that is called so without one.
    """
    planes = list(planes)
    if any(plane.t is not None for plane in planes):
        return planes
    told = {plane.site_id: _told(plane.site_id) for plane in planes}
    numbers: dict[str, set[int]] = defaultdict(set)
    for found in told.values():
        if found is not None:
            numbers[found[0]].add(found[1])
    series = {stem for stem, found in numbers.items() if len(found) > 1 and stem not in told}
    moved = []
    for plane in planes:
        found = told[plane.site_id]
        if found is None or found[0] not in series:
            moved.append(plane)
            continue
        stem, number = found
        moved.append(dataclasses.replace(plane, site_id=stem, t=number))
    return moved


def _told(site_id: str) -> tuple[str, int] | None:
    """What is left of a name without its last word of time, and the number of that word."""
    matches = list(_TIME.finditer(site_id))
    if not matches:
        return None
    last = matches[-1]
    before, after = site_id[: last.start()], site_id[last.end() :].lstrip(_BETWEEN)
    before = before if before.endswith("/") and after else before.rstrip(_BETWEEN + "/")
    joined = "" if not (before and after) or before.endswith("/") else "_"
    return f"{before}{joined}{after}" or "field", int(last["number"])
