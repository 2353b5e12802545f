"""Images stored as colours: grey ones and those of one hue are used, all others set aside or split.

Only decoding tells them apart, so a few files of each channel are decoded while the folder is read;
the others meet the same rule when they are processed.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from cellwise.contracts.layout import Arrangement, Listing, Plane, Problem
from cellwise.domain.headers import Header
from cellwise.domain.places import place_of
from cellwise.domain.plain_words import counted
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.stages.read._assemble import OK, Assembly
from cellwise.stages.read.names import SINGLE
from cellwise.stages.read.scales.aside import set_aside
from cellwise.store.images.colours import REMEDY
from cellwise.store.images.fields import read_hues, read_pixels

_SAMPLE = 24
_FEWEST = 4
COLOURS = ("red", "green", "blue")


def split_colours(arrangement: Arrangement, listing: Listing) -> Arrangement:
    """Three channels for each plane of colours: `red`, `green`, `blue`, after the channel's name.

    Files of several pages stay as they are; nobody knows whether pages or colours are channels.
    """
    planes: list[Plane] = []
    for plane in arrangement.planes:
        header = listing.header(plane.path)
        if plane.plane is not None or not _can_split(header):
            planes.append(plane)
            continue
        before = "" if plane.channel == SINGLE else f"{plane.channel}_"
        planes += [
            dataclasses.replace(plane, channel=before + colour, plane=index)
            for index, colour in enumerate(COLOURS)
        ]
    return dataclasses.replace(arrangement, planes=tuple(planes), colour=False)


def _can_split(header: Header | None) -> bool:
    return header is not None and header.colour and header.channels * header.pages == 1


def settle_colours(assembly: Assembly, listing: Listing) -> Assembly:
    """Say of which channels the hue is no matter, and set the sites of other colours aside."""
    suspects: dict[str, list[tuple[Site, ChannelFile]]] = defaultdict(list)
    for site in assembly.sites:
        for entry in site.files:
            stored = not entry.colour and entry.plane is None
            if assembly.status[site.id] == OK and stored and _is_colour(listing, entry):
                suspects[entry.channel.name].append((site, entry))
    if not suspects:
        return assembly
    each = max(_FEWEST, _SAMPLE // len(suspects))
    problems: list[Problem] = []
    one_hue: list[str] = []
    for channel, found in suspects.items():
        hued, faults = _sampled(found, listing, each)
        problems += faults
        one_hue += [channel] if hued else []
    count = sum(map(len, suspects.values()))
    notes = [f"{counted(count, 'files')} stored as colours; grey ones are used as they are."]
    if one_hue:
        notes.append(
            f"{', '.join(one_hue)}: each image has one hue; its brightest value is the signal."
        )
    return _marked(assembly, problems, one_hue, notes)


def _sampled(
    found: Sequence[tuple[Site, ChannelFile]], listing: Listing, each: int
) -> tuple[bool, list[Problem]]:
    """Whether some images of a channel have one hue, and why others cannot be used."""
    problems: list[Problem] = []
    hues: list[str] = []
    for site, entry in found[:: max(1, len(found) // each)][:each]:
        try:
            hues.append(read_hues(entry, listing.folder))
            if hues[-1] == "several":
                read_pixels(entry, listing.folder)
        except InputError as error:
            problems.append(_problem(site, entry, error.code, error.reason, error.remedy))
    if set(hues) == {"several"} and len(hues) >= min(each, len(found)):
        # As all that were looked at: better said now than one by one after hours.
        reason = "The image is stored as colours, as others of its channel that are no grey."
        known = {problem.site_id for problem in problems}
        problems += [
            _problem(site, entry, "colour", reason, REMEDY)
            for site, entry in found
            if site.id not in known
        ]
    return "one" in hues, problems


def _problem(site: Site, entry: ChannelFile, code: str, reason: str, remedy: str) -> Problem:
    return Problem(code, place_of(entry.paths[0]).file, reason, remedy, site.id)


def _marked(
    assembly: Assembly, problems: Sequence[Problem], one_hue: Sequence[str], notes: Sequence[str]
) -> Assembly:
    sites = tuple(
        dataclasses.replace(
            site,
            files=tuple(
                dataclasses.replace(entry, colour=True) if entry.channel.name in one_hue else entry
                for entry in site.files
            ),
        )
        for site in assembly.sites
    )
    return dataclasses.replace(
        set_aside(assembly, problems),
        sites=sites if one_hue else assembly.sites,
        notes=(*assembly.notes, *notes),
    )


def _is_colour(listing: Listing, entry: ChannelFile) -> bool:
    places = map(place_of, entry.paths)
    headers = (listing.header(place.file, place.series) for place in places)
    return any(header is not None and header.colour for header in headers)
