"""Brightness of images from several sources brought to one level, channel by channel.

A source is where fields come from, such as a challenge or a public collection: its images were
taken and written in one way, and those of another are brighter or darker as a whole. Each channel
of a source is multiplied by one number, so that the mean of the maxima of its items is that of the
source with the most items. Zero stays zero.

Source: the HPA 2021 system AllDataAreExt & Galixir (9th), which divides the images of the challenge
and the public ones each by constants per channel that are means of image maxima.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cellwise.errors import PreflightError

Floats = npt.NDArray[np.float32]
# Of a source so many items are looked at.
_SAMPLE = 256
_MOST = 64.0


def fit_gains(
    read: Callable[[npt.NDArray[np.int64]], Floats], sources: Sequence[str]
) -> dict[str, list[float]]:
    """What each channel of each source is multiplied by.

    Args:
        read: Positions to pixels in 0..1, `[n, channel, y, x]`.
        sources: The source of each position, at least one.

    Returns:
        `[channel]` by source; 1 for the source with the most items, and for channels without light.
    """
    counts = Counter(sources)
    names = np.array(sources)
    means = {}
    for name in sorted(counts):
        places = np.flatnonzero(names == name)
        some = places[
            np.unique(np.linspace(0, len(places) - 1, min(_SAMPLE, len(places))).astype(np.int64))
        ]
        means[name] = read(some).max(axis=(2, 3)).mean(axis=0, dtype=np.float64)
    usual = max(sorted(counts), key=lambda name: counts[name])
    gains = {}
    for name, mean in means.items():
        lit = (mean > 0) & (means[usual] > 0)
        ratio = np.divide(means[usual], mean, out=np.ones_like(mean), where=lit)
        gains[name] = np.clip(ratio, 1 / _MOST, _MOST).tolist()
    return gains


def column_of(normalisation: dict[str, Any]) -> str:
    """The metadata column that names the source for a model; empty where it knows none."""
    return str((normalisation.get("sources") or {}).get("column", ""))


def gain_for(normalisation: dict[str, Any], source: str | None) -> torch.Tensor | None:
    """`[channel, 1, 1]`, what a model's pixels are multiplied by; None where it knows no sources.

    Args:
        normalisation: Of the model's card.
        source: Of the field; empty where the table has none, None where nothing is known.

    Raises:
        PreflightError: The model knows sources, but not this one.
    """
    if not column_of(normalisation):
        return None
    gains = normalisation["sources"]["gains"]
    if source is None or source not in gains:
        known = ", ".join(repr(name) for name in sorted(gains))
        raise PreflightError(
            f"The model was trained with sources by {column_of(normalisation)}: {known}; here is "
            f"{source or ''!r}. Name the source of each field in the labels file's column."
        )
    return torch.tensor(gains[source], dtype=torch.float32)[:, None, None]
