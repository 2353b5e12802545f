"""Which colour a channel is drawn in, and which channels are drawn at first.

Colours follow the role: nucleus blue, protein green, microtubule red, endoplasmic reticulum yellow,
as the Human Protein Atlas draws them. Further stains have colours of their own; two of Cell
Painting take red and green where no stain of the Atlas does. Other channels get what is left, in a
fixed order. No two channels of a run share a colour.

For people who do not tell red from green apart (deuteranopia, simulated as Machado, Oliveira and
Fernandes 2009) the colours differ in lightness where they cannot differ in hue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cellwise.domain.channels import ROLES, Channel

MOST_SHOWN = 4
"""More channels than these in one image cannot be distinguished by eye."""


@dataclass(frozen=True, slots=True)
class Tint:
    """A named colour; `code` is `#rrggbb`."""

    name: str
    code: str

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green and blue in 0..1."""
        red, green, blue = (part / 255 for part in bytes.fromhex(self.code[1:]))
        return red, green, blue


GREY = Tint("grey", "#ffffff")
_OF_ROLE = {
    "nucleus": Tint("blue", "#4178f0"),
    "protein": Tint("green", "#14f56e"),
    "microtubule": Tint("red", "#f21d16"),
    "er": Tint("yellow", "#fff23a"),
    "actin": Tint("orange", "#e0923e"),
    "mitochondria": Tint("magenta", "#c832b0"),
    "golgi": Tint("mint", "#98ffcc"),
    "rna": Tint("cyan", "#3fd0ff"),
    "membrane": Tint("pink", "#ff98c2"),
    # Transmitted light, which is no stain.
    "brightfield": Tint("grey", "#a0a0a0"),
}
# Taken where nothing in the run has a better claim: they are seen better beside ER and nucleus.
_RATHER = {"actin": _OF_ROLE["microtubule"], "golgi": _OF_ROLE["protein"]}
_SPARE = Tint("violet", "#8f3bf5")
# For channels of no known role: those first that differ most from blue nuclei and from each other.
_ORDER = (
    *("protein", "er", "mitochondria", "rna", "actin", "microtubule"),
    *("golgi", "membrane", None, "nucleus"),
)
_FREE = tuple(_SPARE if role is None else _OF_ROLE[role] for role in _ORDER)


def tints(channels: Sequence[Channel]) -> list[Tint]:
    """One colour per channel, all different; a lone channel is grey."""
    if len(channels) == 1:
        return [GREY]
    claimed = {_OF_ROLE[channel.role] for channel in channels if channel.role}
    given: dict[int, Tint] = {}
    for place, channel in enumerate(channels):
        tint = _OF_ROLE.get(channel.role or "")
        rather = _RATHER.get(channel.role or "")
        if rather is not None and rather not in claimed:
            tint = rather
        if tint is not None and tint not in given.values():
            given[place] = tint
    free = [tint for tint in _FREE if tint not in given.values()]
    rest = [place for place in range(len(channels)) if place not in given]
    if len(rest) > len(free):
        free += _further(len(rest) - len(free))
    return [given[p] if p in given else free[rest.index(p)] for p in range(len(channels))]


def first_shown(channels: Sequence[Channel]) -> list[int]:
    """Places of the at most four channels that are drawn at first, in their order.

    Known roles come before unknown ones, in the order of `ROLES`. Bright field is left out where
    there is anything else: it is light everywhere and would cover the stains.
    """
    stains = [n for n, channel in enumerate(channels) if channel.role != "brightfield"]
    order = {role: n for n, role in enumerate(ROLES)}
    ranked = sorted(
        stains or range(len(channels)), key=lambda n: (order.get(channels[n].role or "", 99), n)
    )
    return sorted(ranked[:MOST_SHOWN])


@lru_cache(maxsize=8)
def _further(number: int) -> list[Tint]:
    """Colours beyond the named ones: each the farthest in CIELAB from all before it."""
    from skimage.color import hsv2rgb, rgb2lab

    grid = np.stack(
        np.meshgrid(np.arange(36) / 36, (0.45, 0.7, 1.0), (0.6, 0.8, 1.0), indexing="ij"), -1
    ).reshape(1, -1, 3)
    rgb: npt.NDArray[np.float64] = np.asarray(hsv2rgb(grid))
    places = rgb2lab(rgb)[0]
    known = np.array([tint.rgb for tint in (*_OF_ROLE.values(), _SPARE)])[None]
    away = np.min([np.linalg.norm(places - one, axis=1) for one in rgb2lab(known)[0]], axis=0)
    found = []
    for count in range(number):
        best = int(np.argmax(away))
        away = np.minimum(away, np.linalg.norm(places - places[best], axis=1))
        code = "#" + "".join(f"{round(255 * part):02x}" for part in rgb[0, best])
        found.append(Tint(f"further colour {count + 1}", code))
    return found
