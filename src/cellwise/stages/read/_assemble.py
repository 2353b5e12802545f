"""Planes become sites: stacks are settled, channels compared, sizes checked, ids made safe.

Nothing is dropped in silence: a site that cannot be used keeps its rows with a status word instead
of `ok`, and each reason becomes a `Problem`.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellwise.contracts.layout import Arrangement, Listing, Plane, Problem
from cellwise.domain.channels import Channel
from cellwise.domain.headers import Header
from cellwise.domain.places import Place
from cellwise.domain.plain_words import counted
from cellwise.domain.records import ChannelFile, Site, safe_ids
from cellwise.stages.read.channels.roles import given_roles
from cellwise.stages.read.planes.drafts import (
    Draft,
    compare,
    drafts_of,
    note_damage,
    note_projections,
    usual_channels,
)
from cellwise.stages.read.planes.frames import Spread, depth_of
from cellwise.stages.read.planes.settings import named_setting_notes, pixel_size_notes
from cellwise.store.images.pixel_sizes import are_square
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


def assemble(
    arrangement: Arrangement,
    listing: Listing,
    *,
    roles: Mapping[str, str],
    inherited: Collection[str] = (),
    stack: str,
    spread: Spread,
    pixel_size: float = 0.0,
    gaps: str = "refuse",
) -> Assembly:
    """Build sites from planes.

    Args:
        arrangement: The folder, as the layout understands it.
        listing: Gives the header of each file.
        roles: Roles given by the user; they win over the layout's.
        inherited: Names among them that a finished run gives: those not here are passed over.
        stack: `max`, `mid` or `refuse`, for Z.
        spread: The planes, each with its time point and its field of the file.
        pixel_size: Micrometres per pixel for all sites; 0 takes what the files say.
        gaps: `refuse` or `black`, for images of which pieces are lost.
    """
    drafts = drafts_of(spread)
    usual = usual_channels(drafts)
    known = {name: role for name, role in arrangement.roles.items() if name in usual}
    said = given_roles(roles, usual, inherited=inherited)
    known = {name: role for name, role in known.items() if role not in said.values()}
    channels = {c.name: c for c in name_channels(usual, {**known, **said})}
    note_projections(drafts)
    for draft in drafts:
        if not note_damage(draft, listing, usual):
            compare(draft, usual)
    ids = safe_ids([draft.planes[0].site_id for draft in drafts])
    builder = _Builder(listing, channels, stack, pixel_size, gaps, colour=arrangement.colour)
    for site_id, draft in zip(ids, drafts, strict=True):
        builder.add(site_id, draft)
    return Assembly(
        tuple(builder.sites),
        {i: d.field_id for i, d in zip(ids, drafts, strict=True)},
        builder.status,
        builder.headers,
        tuple(channels.values()),
        tuple(builder.problems),
        (*spread.notes, *builder.notes()),
    )


@dataclass(slots=True)
class _Builder:
    """Collects finished sites."""

    listing: Listing
    channels: Mapping[str, Channel]
    stack: str
    pixel_size: float
    gaps: str
    colour: bool = field(kw_only=True)
    sites: list[Site] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    headers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    stacks: int = 0
    unstated: int = 0
    sizes_differ: int = 0
    stated: dict[str, float] = field(default_factory=dict)
    lost: set[tuple[str, int]] = field(default_factory=set)
    black: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, site_id: str, draft: Draft) -> None:
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
        if len({h.turned for h in found}) > 1:
            draft.note(
                "turned",
                first.path,
                "The channels have different orientation marks (orientation "
                f"{', '.join(map(str, sorted({h.turned for h in found})))}).",
                "Save all channels of the field as they are to be seen, without that mark.",
            )
        self._check_pixels(draft, found)
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
                pixel_size=self._pixel_size(site_id, found),
            )
        )

    def notes(self) -> list[str]:
        notes: list[str] = []
        if self.stacks and self.stack != "refuse":
            how = {"max": "its brightest values", "mid": "its middle plane"}.get(self.stack)
            notes.append(f"Channels that are stacks: {self.stacks}; each is reduced to {how}.")
        if self.unstated and self.stack != "refuse":
            notes.append(
                f"In {self.unstated} of them the files do not say what their pages are; they are "
                "taken as planes along Z."
            )
        if self.sizes_differ:
            notes.append(
                f"In {counted(self.sizes_differ, 'sites')} the channels state different pixel "
                "sizes; none is used."
            )
        notes += pixel_size_notes(self.stated, self.pixel_size)
        used = (entry for site in self.sites for entry in site.files)
        notes += named_setting_notes((e.channel.name, path) for e in used for path in e.paths)
        if self.black:
            pieces, images = sum(self.black.values()), len(self.black)
            notes.append(
                f"Not stored, and read as black: {counted(pieces, 'pieces')} of "
                f"{counted(images, 'images')} of OME-Zarr. Whoever writes one may leave black "
                "pieces out."
            )
        return notes

    def _channel(self, draft: Draft, name: str) -> tuple[ChannelFile, list[Header]]:
        planes = draft.by_channel[name]
        headers = []
        for plane in planes:
            header = self.listing.header(plane.path, plane.series)
            if header is not None:
                self._check(draft, plane, header)
                headers.append(header)
        places = [Place(plane.path, plane.series, plane.time) for plane in planes]
        depth = max((depth_of(h, planes[0]) for h in headers), default=1)
        if len(places) > 1 or depth > 1:
            self.stacks += 1
            self.unstated += any(h.pages > 1 for h in headers) and depth > 1
            if self.stack == "refuse":
                draft.note(
                    "z_stack",
                    planes[0].path,
                    f"Channel {name} is a stack of {counted(len(places) * depth, 'planes')}.",
                    "Say how to flatten it: --set read.stack=max or --set read.stack=mid.",
                )
            elif self.stack == "mid":
                middle = places[len(places) // 2]
                places = [dataclasses.replace(middle, z=depth // 2 if depth > 1 else None)]
        paths = tuple(map(str, places))
        colour = self.colour or planes[0].colour
        return ChannelFile(self.channels[name], paths, planes[0].plane, colour), headers

    def _check(self, draft: Draft, plane: Plane, header: Header) -> None:
        if plane.plane is None and header.channels > 1:
            draft.note(
                "multichannel_file",
                plane.path,
                f"The file holds {header.channels} channels where its name says one.",
                "Read the folder with --layout multichannel.",
            )
        place = plane.path, plane.series
        if header.lost and self.gaps == "refuse" and place not in self.lost:
            self.lost.add(place)
            draft.note(
                "planes_missing",
                plane.path,
                header.lost,
                "Copy it again from its source, all folders in it; or read what is not stored as "
                "black: --set read.gaps=black.",
            )
        elif header.black and place not in self.lost:
            self.black[place] = header.black

    def _check_pixels(self, draft: Draft, found: Sequence[Header]) -> None:
        """Areas and lengths would be wrong where pixels are not square."""
        oblong = [h for h in found if not are_square(h.pixel_size, h.pixel_height)]
        if oblong and not self.pixel_size:
            down, across = oblong[0].pixel_height, oblong[0].pixel_size
            draft.note(
                "pixels_oblong",
                draft.planes[0].path,
                f"The file states pixels of {down:.4g} µm down and {across:.4g} µm across; areas, "
                "shapes and lengths would be wrong.",
                "Resample it to square pixels; or where the file is wrong, say how large they are: "
                "--set read.pixel_size=MICROMETRES.",
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

    def _pixel_size(self, site_id: str, headers: Sequence[Header]) -> float | None:
        sizes = [h.pixel_size for h in headers if h.pixel_size is not None]
        if sizes and self.status[site_id] == OK:
            self.stated[site_id] = sizes[0]
        if self.pixel_size > 0:
            return self.pixel_size
        if sizes and max(sizes) > 1.001 * min(sizes):
            self.sizes_differ += 1
            return None
        return sizes[0] if sizes else None
