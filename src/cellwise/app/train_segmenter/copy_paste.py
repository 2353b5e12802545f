"""Overlapping nuclei by copy-paste augmentation: those of one piece over those of another.

Light adds up where nuclei lie over each other, and whoever draws outlines follows what stands out.
So a pasted nucleus takes the pixels that it shares with another where its light stands out from the
other's, hides behind it elsewhere, and is passed over where too little of it can be seen. Source:
cut, paste and learn (Dwibedi et al., ICCV 2017), here with light that adds up.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.app.train_segmenter.targets import Labels, Plane, depth

Rng = np.random.Generator

# A nucleus that adds less than this share of the light of the one below it is not seen there.
_STANDS_OUT = 0.6
# Of a nucleus of which less than this share is left in view, nothing is asked.
_LEFT = 0.3
# Beyond this blur, in pixels of a nucleus of 20, it is out-of-focus background and no nucleus.
_OUT_OF_FOCUS = 4.0
# Out-of-focus background is dim beside nuclei.
_DIM = 0.4
_BLURRED = 0.35
# Pasted nuclei end as softly as others do.
_SOFT = 0.8
# Share of pieces whose pasted nuclei are small bright fragments, as of dying cells.
_FRAGMENTS = 0.3


@dataclass(frozen=True, slots=True)
class Regions:
    """Nuclei or cells of a piece.

    Args:
        labels: `[y, x]`, 0 for the ground.
        deepest: Per label the depth of its deepest point, see `targets`.
    """

    labels: Labels
    deepest: Plane


# Relative level `[y, x]` with the nuclei in it.
Lit = tuple[Plane, Regions]


@dataclass(frozen=True, slots=True)
class Pasting:
    """How nuclei are pasted over others.

    Args:
        smaller: Zoom beside the size of those below.
        share: Chance of each nucleus to be pasted.
        gain: Its light beside what it was.
        blur: Width (sigma) of the blur in pixels, 0 for none.
    """

    smaller: float
    share: float
    gain: float
    blur: float


def draw_pasting(rng: Rng) -> Pasting:
    """Mostly as they are; sometimes few, small and bright, as fragments of dying cells."""
    gain = float(np.exp(rng.normal(0.1, 0.6)))
    if rng.random() < _FRAGMENTS:
        return Pasting(rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.25), 2 * gain, 0)
    blur = rng.uniform(1, 8) if rng.random() < _BLURRED else 0.0
    return Pasting(1.0, rng.uniform(0.2, 1.0), _DIM * gain if blur > _OUT_OF_FOCUS else gain, blur)


def paste_over(
    below: Lit, above: Lit, pasting: Pasting, rng: Rng
) -> tuple[Plane, Regions, npt.NDArray[np.bool_]]:
    """Some nuclei of `above` pasted over `below`.

    Returns:
        Level and nuclei of the crowd, in which labels of `above` follow those of `below`, and the
        pixels of which nothing is asked: what was left of hidden nuclei.
    """
    (ground, old), (level, new) = below, above
    chosen = rng.random(len(new.deepest)) < pasting.share
    chosen[0] = False
    shown = chosen[new.labels]
    soft = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), _SOFT)
    light = np.float32(pasting.gain) * np.clip(level, 0, None) * soft
    if pasting.blur:
        light = cv2.GaussianBlur(light, (0, 0), pasting.blur)
    lit = np.asarray(ground + light, np.float32)
    if pasting.blur > _OUT_OF_FOCUS:
        return lit, old, np.zeros(shown.shape, np.bool_)
    pasted = np.where(shown, new.labels + len(old.deepest) - 1, 0).astype(np.int32)
    labels = _merged(old.labels, pasted, light, np.clip(ground, 0, None))
    crowd = Regions(labels, np.concatenate([old.deepest, new.deepest[1:]]))
    return lit, *_in_view(crowd, (old.labels, pasted))


def _merged(old: Labels, new: Labels, light: Plane, ground: Plane) -> Labels:
    """Each new nucleus over each old one beside whose light it stands out, else behind it."""
    shared = (new > 0) & (old > 0)
    pairs, pair_of = np.unique(np.stack([new[shared], old[shared]]), axis=1, return_inverse=True)
    added = np.bincount(pair_of.ravel(), weights=light[shared], minlength=pairs.shape[1])
    below = np.bincount(pair_of.ravel(), weights=ground[shared], minlength=pairs.shape[1])
    merged = np.where(old > 0, old, new)
    merged[shared] = np.where(
        (added > _STANDS_OUT * below)[pair_of.ravel()], new[shared], old[shared]
    )
    return np.asarray(merged, np.int32)


def _in_view(
    crowd: Regions, before: tuple[Labels, Labels]
) -> tuple[Regions, npt.NDArray[np.bool_]]:
    """What lost most of its area is unknown; what lost some of it has its depth measured anew.

    The depth of what the piece cuts cannot be measured in it and stays.
    """
    count = len(crowd.deepest)
    area = sum(np.bincount(one[one > 0], minlength=count) for one in before)
    left = np.bincount(crowd.labels[crowd.labels > 0], minlength=count)
    unknown = (left < _LEFT * area)[crowd.labels] & (crowd.labels > 0)
    labels = np.where(unknown, 0, crowd.labels).astype(np.int32)
    seen = np.zeros(count, np.float32)
    np.maximum.at(seen, labels.ravel(), depth(labels).ravel())
    cut = np.zeros(count, np.bool_)
    cut[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    return Regions(labels, np.where((left < area) & ~cut, seen, crowd.deepest)), unknown
