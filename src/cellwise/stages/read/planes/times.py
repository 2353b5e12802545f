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
    r"(?:^|(?<=[/_\-. (]))(?:t|tp|time|timepoint|frame)[_-]?(?P<number>\d{1,9})(?=$|[/_\-. )])"
    # NIS-Elements writes the words of a name without anything between them: `expt01xy03`.
    r"|t(?P<before_xy>\d{1,6})(?=xy\d)"
    # IncuCyte: `2021y05m03d_14h00m`, and `00d04h00m` since the beginning.
    r"|(?:^|(?<=[/_\-. (]))(?:(?P<year>\d{4})y(?P<month>\d\d)m(?P<date>\d\d)d_)?(?:(?P<day>\d\d)d)?"
    r"(?P<hour>\d\d)h(?P<minute>\d\d)m(?=$|[/_\-. )])",
    re.IGNORECASE,
)
_BETWEEN = "_-. "
# Minutes of a date are more than any other number of a time point.
_DATED = 10**9


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
    first = min((n for found in numbers.values() for n in found if n >= _DATED), default=0)
    series = {stem for stem, found in numbers.items() if len(found) > 1 and stem not in told}
    moved = []
    for plane in planes:
        found = told[plane.site_id]
        if found is None or found[0] not in series:
            moved.append(plane)
            continue
        stem, number = found
        time = number - first if number >= _DATED else number
        moved.append(dataclasses.replace(plane, site_id=stem, t=time))
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
    return f"{before}{joined}{after}" or "field", _number(last)


def _number(match: "re.Match[str]") -> int:
    """The number of a time point; minutes where the name tells date or hour.

    The order counts only: all months are taken as equally long.
    """
    written = match["number"] or match["before_xy"]
    if written:
        return int(written)
    days = int(match["day"] or 0)
    if match["year"]:
        months = 12 * int(match["year"]) + int(match["month"])
        days = 31 * months + int(match["date"])
    return (24 * days + int(match["hour"])) * 60 + int(match["minute"])
