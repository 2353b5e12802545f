"""Sites under way: their planes by channel, and what is found wrong with them."""

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cellwise.contracts.layout import Listing, Plane, Problem
from cellwise.errors import InputError
from cellwise.stages.read.names import same_spelling, spelling
from cellwise.stages.read.planes.frames import Spread

# ImageJ's names of Z projections.
_PROJECTION = re.compile(r"(?:MAX|MIN|AVG|SUM|STD|MED)_", re.IGNORECASE)


@dataclass(slots=True)
class Draft:
    """One site under way: its planes by channel, and what was found wrong with it."""

    planes: list[Plane]
    by_channel: dict[str, list[Plane]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def field_id(self) -> str:
        """The id that the layout gave the field."""
        return self.planes[0].field_id or self.planes[0].site_id

    def note(self, code: str, path: str, reason: str, remedy: str, *, aside: bool = True) -> None:
        """Write down what is wrong; unless `aside` is False the site is not used."""
        self.problems.append(Problem(code, path, reason, remedy, set_aside=aside))


def drafts_of(spread: Spread) -> list[Draft]:
    """One draft per site, sorted by id; channels are spelled alike in all of them."""
    written = same_spelling(spread.planes)
    groups: dict[tuple[str, str], list[Plane]] = defaultdict(list)
    for plane in spread.planes:
        groups[plane.part, plane.site_id].append(plane)
    drafts = []
    for key, planes in sorted(groups.items(), key=lambda item: (item[0][1].lower(), item[0])):
        draft = Draft(planes, problems=list(spread.problems.get(key, ())))
        for plane in sorted(planes, key=lambda p: (p.z, p.path)):
            draft.by_channel.setdefault(written[spelling(plane.channel)], []).append(plane)
        drafts.append(draft)
    return drafts


def usual_channels(drafts: Iterable[Draft]) -> tuple[str, ...]:
    """The channel set of most sites; of equally frequent ones the largest."""
    counts = Counter(tuple(sorted(draft.by_channel)) for draft in drafts)
    best = max(counts.items(), key=lambda item: (item[1], len(item[0])), default=((), 0))
    return best[0]


def note_damage(draft: Draft, listing: Listing, usual: Sequence[str]) -> bool:
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


def note_projections(drafts: Sequence[Draft]) -> None:
    """Set aside what ImageJ made of a stack (`MAX_cell3`) where the stack itself is there too."""
    fields = {(draft.planes[0].part, draft.planes[0].site_id.lower()) for draft in drafts}
    for draft in drafts:
        plane = draft.planes[0]
        head, sign, name = plane.site_id.rpartition("/")
        match = _PROJECTION.match(name)
        whole = f"{head}{sign}{name[match.end() :]}" if match else ""
        if (plane.part, whole.lower()) in fields:
            draft.note(
                "projection",
                plane.path,
                f"It is called as a projection of {whole!r}, which is in the folder as well: its "
                "cells would count twice.",
                "Keep the stack or its projection, not both.",
            )


def compare(draft: Draft, usual: Sequence[str]) -> None:
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
        twice = [z for z, count in Counter((p.t, p.z) for p in planes).items() if count > 1]
        if twice:
            files = " and ".join(plane.path for plane in planes if (plane.t, plane.z) == twice[0])
            draft.note(
                "duplicate_file",
                planes[0].path,
                f"Two files for channel {name}: {files}.",
                "Keep one of them.",
            )
