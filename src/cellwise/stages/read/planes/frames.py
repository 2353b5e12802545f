"""One field that was taken at several times, and several fields in one file.

Time is no depth: cells move and divide between two time points, so that a projection over time
shows cells that never were. A time series is set aside unless the user says how to take it. Fields
of one file are sites of their own. What is not read is counted.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellwise.contracts.layout import Arrangement, Listing, Plane, Problem
from cellwise.domain.headers import Header
from cellwise.domain.plain_words import by_number, counted
from cellwise.domain.units import TIME_SERIES
from cellwise.stages.read.planes.times import name_times

Key = tuple[str, str]
_SHOWN = 3
# The place of transparency behind red, green and blue.
_TRANSPARENCY = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """Planes with their time points and fields told apart.

    Args:
        planes: All planes that are used; those of a site that is set aside among them.
        problems: What is wrong with a site, by part and site id.
        notes: What a person should know.
    """

    planes: tuple[Plane, ...]
    problems: Mapping[Key, Sequence[Problem]]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Spreader:
    listing: Listing
    time: str
    series: str
    planes: list[Plane] = field(default_factory=list)
    problems: dict[Key, list[Problem]] = field(default_factory=lambda: defaultdict(list))
    series_files: set[str] = field(default_factory=set)
    series_left: int = 0
    timed: int = 0
    times_left: int = 0


def spread(arrangement: Arrangement, listing: Listing, *, time: str, series: str) -> Spread:
    """Tell time points and fields apart.

    Args:
        arrangement: The planes, as the layout understands them.
        listing: Gives the header of each file.
        time: `refuse`, `each` or `first`.
        series: `each`, `first` or `refuse`.
    """
    groups: dict[Key, list[Plane]] = defaultdict(list)
    for plane in name_times(arrangement.planes):
        groups[plane.part, plane.site_id].append(plane)
    work = _Spreader(listing, time, series)
    fields = [found for group in groups.values() for found in _fields(work, group)]
    moments = [_moments(listing, group) for group in fields]
    any_series = any(count > 1 for count in moments)
    for group, count in zip(fields, moments, strict=True):
        _points(work, group, count, always=any_series)
    problems = {key: tuple(found) for key, found in work.problems.items()}
    left = _left(listing, series, _transparency_read(arrangement))
    return Spread(tuple(work.planes), problems, (*left, *_notes(work)))


def _fields(work: _Spreader, group: list[Plane]) -> list[list[Plane]]:
    """The fields of one site of the layout: one, or as many as its files hold."""
    headers = [work.listing.header(plane.path) for plane in group]
    known = [header for header in headers if header is not None]
    odd = [text for header in known for text in header.odd]
    count = max((1 + len(header.series) for header in known), default=1)
    paths = [p.path for p, h in zip(group, headers, strict=True) if h and (h.series or h.odd)]
    if odd and work.series != "first":
        _refuse(
            work,
            group,
            "uneven_series",
            paths[0],
            f"The file holds images that are not alike; beside the largest: {_some(odd)}.",
            "Save one kind of image per file, or take the first with --set read.series=first.",
        )
    if count == 1:
        return [group]
    if work.series == "refuse":
        _refuse(
            work,
            group,
            "several_series",
            paths[0],
            f"The file holds {count} fields (series).",
            "Say how to take them: --set read.series=each or --set read.series=first.",
        )
        return [group]
    work.series_files.update(paths)
    if work.series == "first":
        work.series_left += sum(
            len(header.series)
            for header in {p.path: work.listing.header(p.path) for p in group}.values()
            if header is not None
        )
        return [group]
    found = []
    for number in range(count):
        planes = [
            _named(plane, f"_s{number + 1:02d}", {"Series": str(number + 1)}, series=number)
            for plane, header in zip(group, headers, strict=True)
            if number == 0 or (header is not None and number <= len(header.series))
        ]
        found.append(planes)
    return found


def _moments(listing: Listing, group: list[Plane]) -> int:
    """How many time points a field has."""
    inside = [h.t for p in group if (h := listing.header(p.path, p.series)) is not None]
    return max(max(inside, default=1), len({plane.t for plane in group}))


def _points(work: _Spreader, group: list[Plane], count: int, *, always: bool) -> None:
    """The time points of one field; `always` names them where the field has one only."""
    if count == 1 and not (always and work.time == "each"):
        work.planes += group
        return
    inside = max(
        (h.t for p in group if (h := work.listing.header(p.path, p.series)) is not None), default=1
    )
    named = sorted({plane.t for plane in group if plane.t is not None})
    twice = inside > 1 and len(named) > 1
    if twice or work.time == "refuse":
        reason = f"The field was taken at {count} time points, and time is not depth."
        if twice:
            reason = f"Both names and files tell of time: {len(named)} names, {inside} in a file."
        cure = "Say how to take them: --set read.time=each (a site each) or --set read.time=first."
        _refuse(
            work,
            group,
            "time_series",
            group[0].path,
            reason,
            "Save one time point per file." if twice else cure,
        )
        work.planes += group
        return
    work.timed += count > 1
    if work.time == "first":
        work.times_left += count - 1
        kept = [plane for plane in group if not named or plane.t == named[0]]
        work.planes += [
            dataclasses.replace(plane, time=0 if inside > 1 else None) for plane in kept
        ]
        return
    for plane in group:
        header = work.listing.header(plane.path, plane.series)
        points = header.t if header is not None else 1
        for index in range(points):
            number = plane.t if inside == 1 and plane.t is not None else index + 1
            facts = {"TimePoint": str(number), TIME_SERIES: plane.field_id or plane.site_id}
            if plane.series:
                facts[TIME_SERIES] = plane.site_id
            work.planes.append(
                _named(plane, f"_t{number:04d}", facts, time=index if inside > 1 else None)
            )


def _named(
    plane: Plane, ending: str, facts: dict[str, str], *, series: int = 0, time: int | None = None
) -> Plane:
    return dataclasses.replace(
        plane,
        site_id=plane.site_id + ending,
        field_id=plane.field_id or plane.site_id,
        series=plane.series or series,
        time=time,
        metadata={**plane.metadata, **facts},
    )


def _refuse(
    work: _Spreader, group: list[Plane], code: str, path: str, reason: str, remedy: str
) -> None:
    work.problems[group[0].part, group[0].site_id].append(Problem(code, path, reason, remedy))


def _notes(work: _Spreader) -> list[str]:
    notes = []
    files, fields = len(work.series_files), work.series_left
    if files and work.series == "each":
        notes.append(
            f"{counted(files, 'files')} {by_number(files, 'holds', 'hold')} several fields "
            "(series); "
            "each of these is a site (_s01, _s02...)."
        )
    elif fields:
        notes.append(
            f"Not read: {counted(fields, 'further fields')} in {counted(files, 'files')} "
            "(read.series=first)."
        )
    if work.timed and work.time == "each":
        notes.append(
            f"Time series: {counted(work.timed, 'fields')}; each time point is a site (_t0001...), "
            "and those of one field stay together in folds."
        )
    elif work.times_left:
        notes.append(
            f"Not read: {counted(work.times_left, 'further time points')} of "
            f"{counted(work.timed, 'fields')} (read.time=first)."
        )
    return notes


def _transparency_read(arrangement: Arrangement) -> set[str]:
    """The files whose fourth colour is a channel to the layout."""
    return {plane.path for plane in arrangement.planes if plane.plane == _TRANSPARENCY}


def _left(listing: Listing, series: str, used: set[str]) -> list[str]:
    """What files hold beside their fields, and how many ask to be turned or are transparent."""
    known = [header for path in listing.images if (header := listing.header(path)) is not None]
    left = [h.left + (h.odd if series == "first" else ()) for h in known]
    texts = [text for found in left for text in found]
    notes = []
    if texts:
        files = sum(bool(found) for found in left)
        notes.append(
            f"{counted(files, 'files')} {by_number(files, 'holds', 'hold')} more that is not read: "
            f"{_some(texts)}. "
            "The full resolution is read."
        )
    turned = [header.turned for header in known if header.turned != 1]
    if turned:
        notes.append(
            f"{counted(len(turned), 'files')} {by_number(len(turned), 'asks', 'ask')} to be "
            "shown turned "
            f"(orientation {turned[0]}); pixels are "
            "read as they are stored, and positions count so too."
        )
    headers = {path: listing.header(path) for path in listing.images if path not in used}
    transparent = sum(header is not None and header.transparent for header in headers.values())
    if transparent:
        notes.append(f"Transparency is not read: {counted(transparent, 'files')}.")
    return notes


def _some(texts: list[str]) -> str:
    """The first few of these, each once with its count."""
    counted = {text: texts.count(text) for text in dict.fromkeys(texts)}
    shown = [f"{text} ({n} times)" if n > 1 else text for text, n in counted.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def depth_of(header: Header, plane: Plane) -> int:
    """Planes that are left along Z, time and unstated pages once channel and time are chosen."""
    pages = header.pages
    if plane.plane is not None and header.channels == 1 and pages > 1:
        pages //= header.shape[next(i for i, a in enumerate(header.axes) if a in "QI")]
    return header.z * (header.t if plane.time is None else 1) * pages
