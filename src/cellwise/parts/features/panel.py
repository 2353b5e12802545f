"""Which channels are measured, which are landmarks, and what all numbers of a cell are called."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellwise.domain.channels import Channel
from cellwise.parts.features import (
    granularity,
    intensity,
    landmarks,
    ridges,
    scales,
    shape,
    spots,
    texture,
    zones,
)

# What is measured of a stain beside shape, and may be left out.
GROUPS = {
    "zones": zones,
    "intensity": intensity,
    "scales": scales,
    "ridges": ridges,
    "spots": spots,
    "granularity": granularity,
    "texture": texture,
}
LANDMARKS = "landmarks"
ALL_GROUPS = (*GROUPS, LANDMARKS)
# Stains that fill a cell: with one of them its outline is not the protein's.
_BODY = ("microtubule", "er", "actin", "rna", "membrane")
# What stands for a cell where only nuclei are stained: so many pixels around its nucleus.
AROUND_NUCLEUS = 3


@dataclass(frozen=True, slots=True)
class Panel:
    """What is measured of which channel.

    Args:
        channels: What they are called in names of numbers, in the order of the pixels: their role
            where it is known and theirs alone, else their name.
        measured: Positions of the channels that all groups are measured of.
        pairs: Positions `(measured, landmark)`: correlations are taken of.
        stains: Positions of the channels that are landmarks only.
        around: Pixels around the nucleus that stand for the cell; 0 for the cell itself.
        levels: Whether numbers are kept that change with the gain of a channel.
        groups: What is measured, of `ALL_GROUPS`; shape always is.
    """

    channels: tuple[str, ...]
    measured: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    stains: tuple[int, ...]
    around: int
    levels: bool = True
    groups: tuple[str, ...] = ALL_GROUPS

    @property
    def names(self) -> list[str]:
        """The names of all numbers of a cell, in order."""
        made = shape.names()
        for place in self.measured:
            name = self.channels[place]
            if self.levels and "intensity" in self.groups:
                made += intensity.level_names(name)
            if self.around:
                made += shape.hu_names(name)
            for group, part in GROUPS.items():
                if group in self.groups:
                    made += part.names(name)
        if LANDMARKS not in self.groups:
            return made
        for place, other in self.pairs:
            made += landmarks.names(self.channels[place], self.channels[other])
        for place in self.stains:
            made += landmarks.stain_names(self.channels[place], levels=self.levels)
        return made


def panel_of(
    channels: Sequence[Channel],
    *,
    without: Sequence[str] = (),
    levels: bool = True,
    groups: Sequence[str] = ALL_GROUPS,
) -> Panel:
    """What is measured of these channels.

    Where some show the protein they are measured and all others are landmarks; else each is
    measured in turn, with each pair of them correlated once. A single channel of nuclei is measured
    in the nucleus and 3 pixels around it; so are all channels where the protein is left out and no
    stain that fills the cell remains, for then the outline of the cell is the protein's.

    Args:
        channels: In the order of the pixels.
        without: Roles or names of channels that are left out.
        levels: Whether numbers are kept that change with the gain of a channel.
        groups: What is measured beside shape, of `ALL_GROUPS`.
    """
    roles = [channel.role for channel in channels]
    kept = [k for k, c in enumerate(channels) if not {c.role, c.name} & set(without)]
    proteins = [k for k in kept if channels[k].role == "protein"]
    measured = proteins or kept
    stains = [k for k in kept if k not in measured]
    between = [(a, b) for a in measured for b in measured if a < b]
    only = len(kept) == 1 and channels[kept[0]].role == "nucleus"
    blind = "protein" in roles and not proteins and not any(roles[k] in _BODY for k in kept)
    return Panel(
        channels=tuple(c.name if roles.count(c.role) > 1 else c.key for c in channels),
        measured=tuple(measured),
        pairs=(*((a, b) for a in measured for b in stains), *between),
        stains=tuple(stains),
        around=AROUND_NUCLEUS if only or blind else 0,
        levels=levels,
        groups=tuple(groups),
    )
