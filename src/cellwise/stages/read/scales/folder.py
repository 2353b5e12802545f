"""One intensity scale for each channel of a folder, from all headers and some decoded images.

A scale that is given or that the run has already is kept; what does not fit is set aside.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from cellwise.contracts.layout import Listing, Problem
from cellwise.domain.channels import Channel
from cellwise.domain.intensities import BY_TYPE, ONE_BY_ONE, Scale
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import PreflightError
from cellwise.stages.read._assemble import OK, Assembly
from cellwise.stages.read._reading import ChannelScale
from cellwise.stages.read.scales.apart import depths_apart
from cellwise.stages.read.scales.aside import set_aside
from cellwise.stages.read.scales.fitting import Fitting, Image

_THREADS = 4


def fit_scales(
    assembly: Assembly,
    listing: Listing,
    *,
    given: Mapping[str, str],
    known: Mapping[str, tuple[str, str]],
    usual: str = "",
    workers: int = 4,
) -> tuple[Assembly, dict[str, ChannelScale]]:
    """Give every channel its scale, and set aside the sites that do not fit it.

    Args:
        assembly: The sites; their usable images count.
        listing: The headers.
        given: Scales that are asked for, by name or role of a channel.
        known: Scales that this run has already and where they come from, by name. Those that a
            setting gave go with the setting.
        usual: The scale of all channels where the layout knows it, else empty.
        workers: Threads that decode.

    Raises:
        PreflightError: Most images of a channel do not fit its scale, or lie below zero.
    """
    scales: dict[str, ChannelScale] = {}
    problems: list[Problem] = []
    remarks: list[Problem] = []
    notes: list[str] = []
    refused: list[Fitting] = []
    with ThreadPoolExecutor(max(1, min(workers, _THREADS))) as pool:
        for channel in assembly.channels:
            images = _images(assembly, listing, channel.name)
            found = Fitting(listing, channel.name, images, pool)
            before, came_from = known.get(channel.name, ("", ""))
            kept = "" if came_from == "setting" else before
            asked = _as_kept(_given(given, channel), before)
            source = "setting" if asked else "run" if kept else "type"
            found.fit(asked or kept or usual, source)
            scales[channel.name] = found.result()
            problems += found.problems
            notes += found.notes
            apart = depths_apart(channel.name, found.seen)
            remarks += [apart] if apart and not found.refusal else []
            refused += [found] if found.refusal else []
    if refused:
        raise PreflightError(
            f"{' '.join(one.refusal for one in refused)} Say which stored number becomes 0.0 and "
            f"which 1.0, such as {' '.join(one.proposal() for one in refused)}, or export the "
            "images again."
        )
    assembly = set_aside(_with_scales(assembly, scales), problems)
    return dataclasses.replace(
        assembly,
        problems=(*assembly.problems, *remarks),
        notes=(*assembly.notes, *notes),
    ), scales


def by_key(scales: Mapping[str, ChannelScale], channels: Iterable[Channel]) -> dict[str, str]:
    """The scales by role, by name where a channel has none: for other folders laid out alike."""
    return {c.key: scales[c.name].text for c in channels if c.name in scales}


def _images(assembly: Assembly, listing: Listing, name: str) -> list[Image]:
    """The images of a channel in usable sites whose number type is known."""
    return [
        Image(site, entry, facts["dtype"], _pixels(entry, listing))
        for site in assembly.sites
        if assembly.status[site.id] == OK
        for entry in site.files
        if entry.channel.name == name
        and (facts := assembly.headers[site.id, name]).get("dtype") is not None
    ]


def _pixels(entry: ChannelFile, listing: Listing) -> int:
    """Pixels that decoding the channel takes."""
    header = listing.header(entry.paths[0].partition("#")[0])
    if header is None:
        return 1
    planes = len(entry.paths) * header.z * header.t * header.pages
    return max(1, header.height * header.width * planes)


def _given(given: Mapping[str, str], channel: Channel) -> str:
    """What is asked for by name, else by role; capitals do not matter."""
    lowered = {name.lower(): text for name, text in given.items()}
    text = str(lowered.get(channel.name.lower()) or lowered.get((channel.role or "").lower(), ""))
    return text if text in ("", BY_TYPE, ONE_BY_ONE) else str(Scale.parse(text))


def _as_kept(asked: str, before: str) -> str:
    """The range that is asked for with the kind of numbers that it had in the run so far."""
    return before if asked and before.split()[-1:] == [asked] else asked


def _with_scales(assembly: Assembly, scales: Mapping[str, ChannelScale]) -> Assembly:
    def scaled(site: Site, entry: ChannelFile) -> ChannelFile:
        name = entry.channel.name
        dtype = assembly.headers[site.id, name].get("dtype")
        return dataclasses.replace(entry, scale=scales[name].of(dtype or "uint16"))

    sites = tuple(
        dataclasses.replace(site, files=tuple(scaled(site, entry) for entry in site.files))
        for site in assembly.sites
    )
    return dataclasses.replace(assembly, sites=sites)
