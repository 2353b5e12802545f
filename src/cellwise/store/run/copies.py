"""Images that are there twice: as two channels of a site, or in two sites."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from cellwise.domain.plain_words import counted


def copies_said(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Sentences on images of equal pixels; images of one value all over say nothing.

    Args:
        rows: Of the table of pixels: `site_id`, `channel`, `sha256`, `minimum`, `maximum`.
    """
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if row["maximum"] > row["minimum"]:
            places[row["sha256"]].append((row["site_id"], row["channel"]))
    inside: dict[tuple[str, ...], list[str]] = defaultdict(list)
    between: list[list[tuple[str, str]]] = []
    for found in places.values():
        channels: dict[str, list[str]] = defaultdict(list)
        for site, channel in found:
            channels[site].append(channel)
        for site, names in channels.items():
            if len(names) > 1:
                inside[tuple(sorted(names))].append(site)
        if len(channels) > 1:
            between.append(sorted(found))
    said = [
        f"Channels {' and '.join(names)} hold the same image in {counted(len(sites), 'sites')}, "
        f"such as {min(sites)}: one file may lie there under two names."
        for names, sites in sorted(inside.items())
    ]
    if between:
        sites = {site for found in between for site, _ in found}
        (first, channel), second = min(between)[0], min(between)[1:]
        other = next((site, name) for site, name in second if site != first)
        said.append(
            f"{counted(len(sites), 'sites')} hold an image that another site holds too, such as "
            f"{first} ({channel}) and {other[0]} ({other[1]}): one field may lie there under two "
            "names."
        )
    return said
