"""Which channels are drawn, between which values, in which colours: as an address says it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cellwise.domain.channels import Channel
from cellwise.errors import UsageError
from cellwise.parts.drawing.colours import MOST_SHOWN, first_shown, tints

_NUMBER = r"(\d{1,2}(\.\d{1,7})?)"
_ONE = re.compile(rf"(\d{{1,3}})(:{_NUMBER}:{_NUMBER})?(:([0-9a-f]{{6}}))?")

NONE = "none"
"""What an address says for no channel at all."""

Bounds = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One channel as it is drawn.

    Args:
        place: Its place among the channels.
        dark, bright: The values, 0..1, that are drawn black and in full colour.
        rgb: The colour, 0..1.
    """

    place: int
    dark: float
    bright: float
    rgb: tuple[float, float, float]


def asked_channels(text: str | None, channels: Sequence[Channel], bounds: Bounds) -> list[Shown]:
    """Channels such as `0,2:0.01:0.4` or `1:0.02:0.3:ff0000`; None for those shown at first.

    Args:
        text: Places, each with the values for black and full colour and with a colour, where they
            are not those of the run; `none` for no channel.
        channels: All channels.
        bounds: The values of the run.

    Raises:
        UsageError: There is no such channel, or there are more than four.
    """
    colours = tints(channels)
    if text is None:
        words = [str(place) for place in first_shown(channels)]
    else:
        words = [word for word in text.split(",") if word and word != NONE]
    found: dict[int, Shown] = {}
    for word in words:
        match = _ONE.fullmatch(word)
        place = int(match[1]) if match else -1
        if match is None or not 0 <= place < len(channels):
            raise UsageError(f"There is no channel {word[:40]!r}; there are {len(channels)}.")
        dark, bright = bounds[place]
        if match[2]:
            dark, bright = float(match[3]), float(match[5])
        rgb = colours[place].rgb
        if match[8]:
            red, green, blue = bytes.fromhex(match[8])
            rgb = (red / 255, green / 255, blue / 255)
        found[place] = Shown(place, dark, max(bright, dark + 1e-6), rgb)
    if len(found) > MOST_SHOWN:
        raise UsageError(f"Name at most {MOST_SHOWN} of the {len(channels)} channels.")
    return [found[place] for place in sorted(found)]
