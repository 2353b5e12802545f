"""Constants by which the HPA systems brought brightness to one scale, by what a channel shows.

`hpa_challenge` and `hpa_public` divide by the mean of image maxima of the images of the challenge
of 2021 and of those fetched from the public atlas: AllDataAreExt & Galixir (9th). `hpa_2018` is
mean and deviation of the images of 2018, as the winners of that challenge and "Raman" (23rd) took
them. `eight_bit` shows pixels as 0 to 255: Riedel (21st).
"""

from collections.abc import Sequence

from cellwise.domain.channels import Channel
from cellwise.errors import BadOption
from cellwise.parts.normalise import Normalisation

_ROLES = ("nucleus", "protein", "microtubule", "er")
_EIGHT_BITS = 255.0
# In the order of the roles, in 0..255.
_MAXIMA = {
    "hpa_challenge": (239.93038613, 246.05603962, 250.16871503, 250.50623682),
    "hpa_public": (30.89923273, 153.09532163, 81.67066827, 230.55380814),
}
# Mean and deviation in 0..1.
_2018 = ((0.050891, 0.050630, 0.074598, 0.076287), (0.129882, 0.085745, 0.122813, 0.119411))
EIGHT_BIT = "eight_bit"
SETS = (*_MAXIMA, "hpa_2018", EIGHT_BIT)


def check_set(name: str) -> None:
    """Refuse a set of constants that does not exist."""
    if name not in SETS:
        raise BadOption(f"No constants are called {name!r}. One of: {', '.join(SETS)}.")


def published(name: str, channels: Sequence[Channel]) -> Normalisation:
    """What the set of this name makes of pixels in 0..1 of these channels.

    Raises:
        BadOption: No such set, or it has nothing for a channel.
    """
    check_set(name)
    if name == EIGHT_BIT:
        return Normalisation("standard", (0.0,) * len(channels), (1 / _EIGHT_BITS,) * len(channels))
    odd = [channel.name for channel in channels if channel.role not in _ROLES]
    if odd:
        raise BadOption(
            f"The constants {name!r} are of {', '.join(_ROLES)}; channel {odd[0]!r} is none of "
            f"them. Leave it out (train.without), or leave train.constants empty."
        )
    places = [_ROLES.index(channel.role) for channel in channels]
    if name in _MAXIMA:
        scale = tuple(_MAXIMA[name][place] / _EIGHT_BITS for place in places)
        return Normalisation("standard", (0.0,) * len(channels), scale)
    mean, deviation = (tuple(row[place] for place in places) for row in _2018)
    return Normalisation("standard", mean, deviation)


def published_gains(sets: dict[str, str], channels: Sequence[Channel]) -> dict[str, list[float]]:
    """What each channel of each source is multiplied by, so that the first set fits them all.

    Args:
        sets: The set of each source.
        channels: Of the pixels.

    Raises:
        BadOption: A set takes something away before it divides, so that no factor does it.
    """
    found = {source: published(name, channels) for source, name in sets.items()}
    if any(any(one.mean) for one in found.values()) and len(set(sets.values())) > 1:
        raise BadOption(
            f"Constants of several sources are sets without a mean, such as "
            f"{' and '.join(_MAXIMA)}, not {sets}."
        )
    first = next(iter(found.values()))
    return {
        source: [usual / own for usual, own in zip(first.std, one.std, strict=True)]
        for source, one in found.items()
    }
