"""One training example: a piece of an image, turned, scaled, crowded, relit, blurred and noisy.

Position, angle and size are drawn for the labels too; light, blur and noise for the pixels alone.
Everything follows from the generator that is handed in.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.app.train_segmenter.copy_paste import Regions, draw_pasting, paste_over
from cellwise.app.train_segmenter.data import PreparedImage
from cellwise.app.train_segmenter.targets import Labels, Plane, contacts, target_maps
from cellwise.stages.segment.small_unet.planes import WORK_DIAMETER, network_planes

Floats = npt.NDArray[np.float32]
Rng = np.random.Generator

SIDE = 128
# Regions that leave the piece are known this much further.
_AROUND = 16
# The coarse pass may be off by two.
_MOST_ZOOM = 2.0
_STRETCH = 0.15
_NEAR_REGION = 0.7
_WITHOUT_BODY = 0.2
_CONTACT_WEIGHT = 4.0
_CROWDED = 0.4


@dataclass(frozen=True, slots=True)
class Example:
    """What the network sees and is to say: `[3, y, x]`, `[6, y, x]`, and the weight of each map."""

    planes: Floats
    targets: Floats
    weights: Floats


def draw_example(image: PreparedImage, rng: Rng, other: PreparedImage | None = None) -> Example:
    """A random piece of `image` as the network may meet it, sometimes with nuclei of `other`."""
    placed = _place(image, rng)
    with_body = image.body is not None and rng.random() >= _WITHOUT_BODY
    level = _warped(image.nucleus, placed)
    nuclei, cells = _regions(image.nuclei, image.deepest_nuclei, placed), None
    # The image goes on mirrored beyond its frame, of which nothing is asked.
    asked = _warp(np.ones_like(image.nucleus), placed, cv2.INTER_NEAREST, mirrored=False)
    body = None
    if image.body is not None and with_body:
        cells = _regions(image.cells, image.deepest_cells, placed)
        body = relight(_warped(image.body, placed), None if cells is None else cells.labels, rng)
    else:
        # What is pasted over, or blurs the background, has no body.
        if nuclei is not None and other is not None and rng.random() < _CROWDED:
            level, nuclei, unknown = _crowded(level, nuclei, other, rng)
            asked[unknown] = 0
        level = with_background(level, None if nuclei is None else nuclei.labels, rng)
    lit = relight(level, None if nuclei is None else nuclei.labels, rng)
    inner = np.s_[_AROUND:-_AROUND, _AROUND:-_AROUND]
    planes = network_planes(lit[inner], None if body is None else body[inner])
    parts = [_asked_of(regions, asked, inner) for regions in (nuclei, cells)]
    targets, weights = (np.concatenate(maps) for maps in zip(*parts, strict=True))
    return Example(planes, targets, weights)


def _asked_of(
    regions: Regions | None, asked: Plane, inner: tuple[slice, slice]
) -> tuple[Floats, Floats]:
    """Maps and their weights `[3, y, x]`; weights of 0 where there is nothing to ask."""
    if regions is None:
        return np.zeros((3, SIDE, SIDE), np.float32), np.zeros((3, SIDE, SIDE), np.float32)
    maps = target_maps(regions.labels, regions.deepest)[:, inner[0], inner[1]]
    near = cv2.dilate(contacts(regions.labels).astype(np.uint8), np.ones((5, 5), np.uint8))
    weight = np.where(near > 0, np.float32(_CONTACT_WEIGHT), np.float32(1)) * asked
    return maps, np.broadcast_to(weight[inner], (3, SIDE, SIDE))


def _crowded(
    level: Plane, nuclei: Regions, other: PreparedImage, rng: Rng
) -> tuple[Plane, Regions, npt.NDArray[np.bool_]]:
    """See `paste_over`; nothing is pasted where the nuclei of `other` are not known."""
    pasting = draw_pasting(rng)
    placed = _place(other, rng, pasting.smaller)
    pasted = _regions(other.nuclei, other.deepest_nuclei, placed)
    if pasted is None:
        return level, nuclei, np.zeros(level.shape, np.bool_)
    # Beyond the frame lie mirror images, and what the frame cuts ends where no nucleus does.
    beyond = _warp(np.ones_like(other.nucleus), placed, cv2.INTER_NEAREST, mirrored=False) == 0
    edge = cv2.dilate(beyond.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    whole = ~np.isin(pasted.labels, np.unique(pasted.labels[edge & ~beyond])) & ~beyond
    pasted = Regions(np.where(whole, pasted.labels, 0).astype(np.int32), pasted.deepest)
    return paste_over((level, nuclei), (_warped(other.nucleus, placed), pasted), pasting, rng)


def with_background(level: Plane, labels: Labels | None, rng: Rng) -> Plane:
    """Out-of-focus background, or a ground that is textured where nuclei are bright on it."""
    chance = rng.random()
    if chance < 0.15:
        turned = level[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        spread = cv2.GaussianBlur(np.ascontiguousarray(turned), (0, 0), rng.uniform(4, 12))
        return np.asarray(level + np.float32(rng.uniform(0.2, 1.0)) * spread, np.float32)
    if chance < 0.25:
        rough = rng.standard_normal(level.shape, np.float32)
        rough = cv2.GaussianBlur(rough, (0, 0), rng.uniform(1.5, 10))
        rough = np.exp(rough * np.float32(rng.uniform(0.3, 1)) / max(float(rough.std()), 1e-9))
        rough *= np.float32(rng.uniform(0.2, 1.5)) / rough.mean()
        lit = np.asarray(level * np.float32(np.exp(rng.uniform(0, 2.5))) + rough, np.float32)
        # Where the texture is taken for what shines, its level is the unit; mostly nuclei give it.
        return lit if rng.random() < 0.3 else _by_nuclei(lit, labels)
    return level


def _by_nuclei(level: Plane, labels: Labels | None) -> Plane:
    """The level with 0 for the median of the ground and 1 for that of the nuclei."""
    if labels is None or not (labels > 0).any() or (labels > 0).all():
        return level
    dark, bright = np.median(level[labels == 0]), np.median(level[labels > 0])
    return np.asarray((level - dark) / max(bright - dark, np.float32(1e-3)), np.float32)


def relight(level: Plane, labels: Labels | None, rng: Rng) -> Plane:
    """Other exposure, contrast, unevenness, scatter, focus and camera; one region may be dimmer."""
    if labels is not None and rng.random() < 0.3:
        gains = np.exp(rng.normal(0, 0.6, int(labels.max(initial=0)) + 1)).astype(np.float32)
        gains[0] = 1
        level = level * cv2.GaussianBlur(gains[labels], (0, 0), 1.0)
    if rng.random() < 0.3:
        spread = cv2.GaussianBlur(level, (0, 0), rng.uniform(2, 8))
        level = level + np.float32(rng.uniform(0.1, 0.6)) * spread
    if rng.random() < 0.5:
        power = np.float32(np.exp(rng.normal(0, 0.3)))
        level = np.where(level > 0, np.maximum(level, 1e-6) ** power, level)
    if rng.random() < 0.3:
        level = level * _uneven(level.shape, rng) + np.float32(rng.uniform(0, 0.3)) * _uneven(
            level.shape, rng
        )
    level = level * np.float32(np.exp(rng.normal(0, 0.25))) + np.float32(rng.normal(0, 0.02))
    if rng.random() < 0.4:
        level = cv2.GaussianBlur(level, (0, 0), rng.uniform(0.4, 2.0))
    if rng.random() < 0.7:
        level = level + _noise(level, rng)
    return np.asarray(level, np.float32)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a piece lies: the matrix from its pixels to the image's, and its scale."""

    matrix: npt.NDArray[np.float64]
    zoom: np.float32
    side: int


def _place(image: PreparedImage, rng: Rng, smaller: float = 1.0) -> _Placed:
    zoom = smaller * WORK_DIAMETER / image.diameter * _MOST_ZOOM ** rng.triangular(-1, 0, 1)
    stretch = np.exp(rng.uniform(-_STRETCH, _STRETCH))
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else np.pi / 2 * rng.integers(4)
    flip = rng.choice([-1.0, 1.0])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = turned @ np.diag([flip * stretch / zoom, 1 / (stretch * zoom)])
    side = SIDE + 2 * _AROUND
    middle = np.array([(side - 1) / 2, (side - 1) / 2])
    shift = _centre(image, rng, SIDE / zoom / 2) - linear @ middle
    return _Placed(np.hstack([linear, shift[:, None]]), np.float32(zoom), side)


def _centre(image: PreparedImage, rng: Rng, reach: float) -> npt.NDArray[np.float64]:
    """`(x, y)` of the middle of the piece: mostly one that holds a region, and within the frame."""
    height, width = image.nucleus.shape
    spots = image.spots
    if len(spots) and rng.random() < _NEAR_REGION:
        centre = spots[rng.integers(len(spots))] + rng.uniform(-reach, reach, 2)
    else:
        centre = rng.uniform(0, 1, 2) * (width, height)
    result = []
    for value, length in zip(centre, (width, height), strict=True):
        low = min(reach, length / 2)
        result.append(float(np.clip(value, low, length - low)))
    return np.array(result)


def _warped(plane: Plane, placed: _Placed) -> Plane:
    return _warp(plane, placed, cv2.INTER_LINEAR)


def _regions(labels: Labels | None, deepest: Plane | None, placed: _Placed) -> Regions | None:
    if labels is None or deepest is None:
        return None
    # Float32 holds label numbers exactly up to 16 million.
    moved = _warp(labels.astype(np.float32), placed, cv2.INTER_NEAREST).astype(np.int32)
    return Regions(moved, deepest * placed.zoom)


def _warp(plane: Plane, placed: _Placed, how: int, *, mirrored: bool = True) -> Plane:
    size = (placed.side, placed.side)
    flags = how | cv2.WARP_INVERSE_MAP
    outside = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
    return np.asarray(
        cv2.warpAffine(plane, placed.matrix, size, flags=flags, borderMode=outside), np.float32
    )


def _uneven(shape: tuple[int, ...], rng: Rng) -> Plane:
    """A slope of light, 0.5 to 1.5 at most."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    a, b = rng.uniform(-0.25, 0.25, 2)
    return np.asarray(1 + np.float32(a) * y + np.float32(b) * x, np.float32)


def _noise(level: Plane, rng: Rng) -> Plane:
    """Shot and camera noise; sometimes smeared, as after scaling or compression."""
    noise = rng.standard_normal(level.shape, np.float32)
    if rng.random() < 0.5:
        width = rng.uniform(0.4, 1.0)
        noise = cv2.GaussianBlur(noise, (0, 0), width)
        noise /= max(float(noise.std()), 1e-6)
    strength = np.float32(np.exp(rng.uniform(np.log(0.005), np.log(0.15))))
    return np.asarray(noise * strength * np.sqrt(0.2 + np.clip(level, 0, 4)), np.float32)
