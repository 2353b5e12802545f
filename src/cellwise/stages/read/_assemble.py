"""Planes become sites: stacks are settled, channels compared, sizes checked, ids made safe.

Nothing is dropped in silence: a site that cannot be used keeps its rows with a status word instead
of `ok`, and each reason becomes a `Problem`.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellwise.contracts.layout import Arrangement, Listing, Plane, Problem
from cellwise.domain.channels import Channel
from cellwise.domain.headers import Header
from cellwise.domain.records import ChannelFile, Site, safe_ids
from cellwise.errors import InputError
from cellwise.stages.read.channels.roles import given_roles
from cellwise.stages.read.names import same_spelling, spelling
from cellwise.store.stains import name_channels

OK = "ok"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Sites of a folder, before labels are joined.

    Args:
        sites: All sites, usable or not, sorted by id.
        wished: For each site id the id its layout gave it.
        status: `ok` or the code of the first problem, by site id.
        headers: Size, mtime_ns, height, width, dtype by (site id, channel name).
        channels: The channels that most sites have.
        problems: Why sites or files are set aside.
        notes: What a person should know.
    """

    sites: tuple[Site, ...]
    wished: Mapping[str, str]
    status: Mapping[str, str]
    headers: Mapping[tuple[str, str], dict[str, Any]]
    channels: tuple[Channel, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """One site under way: its planes by channel, and what was found wrong with it."""

    planes: list[Plane]
    by_channel: dict[str, list[Plane]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def note(self, code: str, path: str, reason: str, remedy: str, *, aside: bool = True) -> None:
        self.problems.append(Problem(code, path, reason, remedy, set_aside=aside))


def assemble(
    arrangement: Arrangement,
    listing: Listing,
    *,
    roles: Mapping[str, str],
    inherited: Collection[str] = (),
    stack: str,
    pixel_size: float = 0.0,
) -> Assembly:
    """Build sites from planes.

    Args:
        arrangement: The planes, as the layout understands them.
        listing: Gives the header of each file.
        roles: Roles given by the user; they win over the layout's.
        inherited: Names among them that a finished run gives: those not here are passed over.
        stack: `max`, `mid` or `refuse`, for Z and time.
        pixel_size: Micrometres per pixel for all sites; 0 takes what the files say.
    """
    drafts = _drafts(arrangement, same_spelling(arrangement.planes))
    usual = _usual_channels(drafts)
    known = {name: role for name, role in arrangement.roles.items() if name in usual}
    said = given_roles(roles, usual, inherited=inherited)
    known = {name: role for name, role in known.items() if role not in said.values()}
    channels = {c.name: c for c in name_channels(usual, {**known, **said})}
    for draft in drafts:
        if not _damaged(draft, listing, usual):
            _compare(draft, usual)
    ids = safe_ids([draft.planes[0].site_id for draft in drafts])
    builder = _Builder(listing, channels, stack, pixel_size, colour=arrangement.colour)
    for site_id, draft in zip(ids, drafts, strict=True):
        builder.add(site_id, draft)
    return Assembly(
        tuple(builder.sites),
        {i: d.planes[0].site_id for i, d in zip(ids, drafts, strict=True)},
        builder.status,
        builder.headers,
        tuple(channels.values()),
        tuple(builder.problems),
        tuple(builder.notes()),
    )


def _drafts(arrangement: Arrangement, written: Mapping[str, str]) -> list[_Draft]:
    groups: dict[tuple[str, str], list[Plane]] = defaultdict(list)
    for plane in arrangement.planes:
        groups[plane.part, plane.site_id].append(plane)
    drafts = []
    for _, planes in sorted(groups.items(), key=lambda item: (item[0][1].lower(), item[0])):
        draft = _Draft(planes)
        for plane in sorted(planes, key=lambda p: (p.z, p.path)):
            draft.by_channel.setdefault(written[spelling(plane.channel)], []).append(plane)
        drafts.append(draft)
    return drafts


def _usual_channels(drafts: Iterable[_Draft]) -> tuple[str, ...]:
    """The channel set of most sites; of equally frequent ones the largest."""
    counts = Counter(tuple(sorted(draft.by_channel)) for draft in drafts)
    best = max(counts.items(), key=lambda item: (item[1], len(item[0])), default=((), 0))
    return best[0]


def _damaged(draft: _Draft, listing: Listing, usual: Sequence[str]) -> bool:
    """Note files whose headers cannot be read; says whether they leave the channels unknown."""
    unknown = False
    for plane in draft.planes:
        error = listing.headers.get(plane.path)
        if isinstance(error, InputError):
            draft.note(error.code, plane.path, error.reason, error.remedy)
            unknown = unknown or not set(draft.by_channel) & set(usual)
    if unknown:
        # A file that would hold all channels: it stands in the table for each of them.
        first = draft.planes[0]
        draft.by_channel = {
            name: [dataclasses.replace(first, channel=name, plane=index)]
            for index, name in enumerate(usual)
        }
    return unknown


def _compare(draft: _Draft, usual: Sequence[str]) -> None:
    """Note missing, additional and doubled channels."""
    missing = [name for name in usual if name not in draft.by_channel]
    first = draft.planes[0].path
    if missing:
        draft.note(
            "channel_missing",
            first,
            f"No file for channel {', '.join(missing)} (found: {', '.join(draft.by_channel)}).",
            "Add the files, or leave the site out.",
        )
    for name in [name for name in draft.by_channel if name not in usual]:
        extra = draft.by_channel.pop(name)[0].path
        draft.note(
            "channel_extra",
            extra,
            f"Channel {name} is not in the other sites ({', '.join(usual)}); it is not used.",
            "Remove the file, or add the channel to all sites.",
            aside=False,
        )
    for name, planes in draft.by_channel.items():
        twice = [z for z, count in Counter(plane.z for plane in planes).items() if count > 1]
        if twice:
            files = " and ".join(plane.path for plane in planes if plane.z == twice[0])
            draft.note(
                "duplicate_file",
                planes[0].path,
                f"Two files for channel {name}: {files}.",
                "Keep one of them.",
            )


@dataclass(slots=True)
class _Builder:
    """Collects finished sites."""

    listing: Listing
    channels: Mapping[str, Channel]
    stack: str
    pixel_size: float
    colour: bool = field(kw_only=True)
    sites: list[Site] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    headers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    stacks: int = 0
    sizes_differ: int = 0

    def add(self, site_id: str, draft: _Draft) -> None:
        first = draft.planes[0]
        files, found = [], []
        for name in [name for name in self.channels if name in draft.by_channel]:
            entry, headers = self._channel(draft, name)
            files.append(entry)
            found += headers
            self.headers[site_id, name] = self._facts(draft.by_channel[name], headers)
        if len({(h.height, h.width) for h in found}) > 1:
            sizes = sorted({f"{h.height} x {h.width}" for h in found})
            draft.note(
                "size_mismatch",
                first.path,
                f"The channels differ in size: {', '.join(sizes)}.",
                "Export all channels of the field at one size.",
            )
        code = next((problem.code for problem in draft.problems if problem.set_aside), OK)
        self.status[site_id] = code
        for name in [entry.channel.name for entry in files]:
            self.headers[site_id, name]["status"] = code
        self.problems += [
            Problem(p.code, p.path, p.reason, p.remedy, site_id, set_aside=p.set_aside)
            for p in draft.problems
        ]
        self.sites.append(
            Site(
                id=site_id,
                raw_id=first.raw_id,
                files=tuple(files),
                part=first.part or "unlabelled",
                metadata=dict(first.metadata),
                pixel_size=self._pixel_size(found),
            )
        )

    def notes(self) -> list[str]:
        notes = []
        if self.stacks:
            how = {"max": "its brightest values", "mid": "its middle plane"}.get(self.stack)
            notes.append(f"{self.stacks} channels are stacks; each is reduced to {how}.")
        if self.sizes_differ:
            notes.append(
                f"In {self.sizes_differ} sites the channels state different pixel sizes; "
                "none is used."
            )
        return notes if self.stack != "refuse" else notes[1 if self.stacks else 0 :]

    def _channel(self, draft: _Draft, name: str) -> tuple[ChannelFile, list[Header]]:
        planes = draft.by_channel[name]
        headers = []
        for plane in planes:
            header = self.listing.header(plane.path)
            if header is not None:
                self._check(draft, plane, header)
                headers.append(header)
        paths = tuple(plane.path for plane in planes)
        depth = max((_depth(h, planes[0].plane) for h in headers), default=1)
        if len(paths) > 1 or depth > 1:
            self.stacks += 1
            if self.stack == "refuse":
                draft.note(
                    "z_stack",
                    paths[0],
                    f"Channel {name} is a stack of {len(paths) * depth} planes.",
                    "Say how to flatten it: --set read.stack=max or --set read.stack=mid.",
                )
            elif self.stack == "mid":
                middle = paths[len(paths) // 2]
                paths = (f"{middle}#z={depth // 2}" if depth > 1 else middle,)
        return ChannelFile(self.channels[name], paths, planes[0].plane, self.colour), headers

    def _check(self, draft: _Draft, plane: Plane, header: Header) -> None:
        if plane.plane is None and header.channels > 1:
            draft.note(
                "multichannel_file",
                plane.path,
                f"The file holds {header.channels} channels where its name says one.",
                "Read the folder with --layout multichannel.",
            )

    def _facts(self, planes: Sequence[Plane], headers: Sequence[Header]) -> dict[str, Any]:
        stats = [self.listing.stats[plane.path] for plane in planes]
        facts: dict[str, Any] = {
            "size": sum(size for size, _ in stats),
            "mtime_ns": max(time for _, time in stats),
        }
        if headers:
            first = headers[0]
            facts |= {"height": first.height, "width": first.width, "dtype": first.dtype}
        return facts

    def _pixel_size(self, headers: Sequence[Header]) -> float | None:
        if self.pixel_size > 0:
            return self.pixel_size
        sizes = [h.pixel_size for h in headers if h.pixel_size is not None]
        if sizes and max(sizes) > 1.001 * min(sizes):
            self.sizes_differ += 1
            return None
        return sizes[0] if sizes else None


def _depth(header: Header, plane: int | None) -> int:
    """Planes that are left along Z, time and unstated pages once the channel is chosen."""
    pages = header.pages
    if plane is not None and header.channels == 1 and pages > 1:
        pages //= header.shape[next(i for i, a in enumerate(header.axes) if a in "QI")]
    return header.z * header.t * pages
