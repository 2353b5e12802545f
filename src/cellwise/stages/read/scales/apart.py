"""Images of one channel and one number type in two groups of brightness far apart.

So look 8-bit images that were saved as 16 bits beside true ones, or 12 bits that were shifted up in
a part of a folder. The dark of the images tells: a dim stain leaves the camera's dark as it is,
another depth does not.
"""

from collections.abc import Sequence
from itertools import pairwise

from cellwise.contracts.layout import Problem
from cellwise.domain.intensities import EIGHT_BIT, Levels, plain
from cellwise.stages.read.scales.fitting import Image

# Twelve and sixteen bits lie 16 apart; exposures and stains seldom do by so much in the dark.
_FACTOR = 8.0
_LEAST, _SHARE = 2, 0.2


def depths_apart(channel: str, seen: Sequence[tuple[Image, Levels]]) -> Problem | None:
    """Name two groups of images whose bright and dark numbers both lie far apart.

    Args:
        channel: Name of the channel.
        seen: The images that were looked at.

    Returns:
        A problem of the folder, None where there are no such groups.
    """
    ranked = sorted(seen, key=lambda one: one[1].top)
    least = max(_LEAST, round(_SHARE * len(ranked)))
    for place, ((_, one), (_, other)) in enumerate(pairwise(ranked), start=1):
        low, high = ranked[:place], ranked[place:]
        if min(len(low), len(high)) < least or other.top < _FACTOR * one.top:
            continue
        dark = max(levels.bottom for _, levels in low)
        if one.kind == EIGHT_BIT or not 0 < _FACTOR * dark <= min(lv.bottom for _, lv in high):
            continue
        return Problem(
            "brightness_apart",
            low[0][0].entry.paths[0].partition("#")[0],
            f"Channel {channel!r}: {len(low)} of {len(seen)} images that were looked at reach "
            f"{plain(one.high)} at most, the others {plain(other.high)} and more, and their dark "
            "differs as much, as if some were saved in another bit depth. All are read alike.",
            "Export all images of the channel in one way; nothing to do if they are as the "
            "microscope wrote them.",
            set_aside=False,
        )
    return None
