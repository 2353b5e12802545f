"""Whether images show one place: asked where names alone do not tell channels from fields.

Channels of a field share their cells, so that the brightness of one tells something about the
brightness of the other at the same spot; images of different fields do not. Measured is the mutual
information of small images, against pairs that were mixed at random (Viola and Wells 1997, mutual
information of images of one thing).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cellwise.contracts.layout import Listing
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.images.fields import read_pixels

Levels = npt.NDArray[np.int64]

_GROUPS = 8
_SIDE = 64
_LEVELS = 6
# How much more two images of one place must share than two of different places.
_MORE = 1.5
_LEAST = 0.01
_MOST_GROUPS_WRONG = 0.2


def show_one_place(listing: Listing, groups: Sequence[Mapping[str, str]]) -> bool | None:
    """Whether the images of each group show one place; None where fewer than two can be compared.

    Args:
        listing: The folder; a handful of its images is decoded.
        groups: Path by name of the image; images of one name are compared across groups.
    """
    names = max((sorted(group) for group in groups), key=len)[:2]
    whole = [group for group in groups if all(name in group for name in names)]
    step = max(1, len(whole) // _GROUPS)
    pairs = []
    for group in whole[::step][:_GROUPS]:
        pair = [_small(listing, group[name]) for name in names]
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            pairs.append((pair[0], pair[1]))
    if len(pairs) < 2:
        return None
    wrong = sum(not _fit(pairs, number) for number in range(len(pairs)))
    return wrong <= _MOST_GROUPS_WRONG * len(pairs)


def _fit(pairs: Sequence[tuple[Levels, Levels]], number: int) -> bool:
    first, second = pairs[number]
    others = [pair for place, pair in enumerate(pairs) if place != number]
    mixed = [shared(first, other[1]) for other in others]
    mixed += [shared(other[0], second) for other in others]
    return shared(first, second) > max(_MORE * float(np.median(mixed)), max(mixed), _LEAST)


def shared(first: Levels, second: Levels) -> float:
    """Mutual information in nats of two images of levels `[y, x]`, over what both cover."""
    height, width = (min(a, b) for a, b in zip(first.shape, second.shape, strict=True))
    a, b = first[:height, :width].ravel(), second[:height, :width].ravel()
    joint = np.bincount(a * _LEVELS + b, minlength=_LEVELS**2).reshape(_LEVELS, _LEVELS)
    share = joint / joint.sum()
    apart = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    seen = share > 0
    return float((share[seen] * np.log(share[seen] / apart[seen])).sum())


def _small(listing: Listing, path: str) -> Levels | None:
    """An image as levels 0.._LEVELS-1 of equal frequency on a grid of blocks."""
    try:
        entry = ChannelFile(Channel("image"), (path,))
        pixels = np.asarray(read_pixels(entry, listing.folder), dtype=np.float32)
    except (InputError, OSError):
        return None
    if pixels.ndim != 2 or min(pixels.shape) < _LEVELS:
        return None
    block = max(1, min(pixels.shape) // _SIDE)
    height, width = (size // block for size in pixels.shape)
    cut = pixels[: height * block, : width * block].reshape(height, block, width, block)
    means = cut.mean(axis=(1, 3))
    edges = np.quantile(means, np.linspace(0, 1, _LEVELS + 1)[1:-1])
    levels: Levels = np.searchsorted(edges, means).astype(np.int64)
    return levels
