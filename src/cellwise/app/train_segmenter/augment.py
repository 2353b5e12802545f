"""One training example: a piece of a picture, turned, scaled, relit, blurred and noisy.

Position, angle and size are drawn for the labels too; light, blur and noise for the pixels alone.
Everything follows from the generator that is handed in.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.app.train_segmenter.data import Picture
from cellwise.app.train_segmenter.targets import Labels, Plane, contacts, target_maps
from cellwise.stages.segment._small_unet_planes import WORK_DIAMETER, network_planes

Floats = npt.NDArray[np.float32]
Rng = np.random.Generator

SIDE = 128
# Regions that leave the piece are known this much further.
_AROUND = 16
# The first look may be off by two.
_MOST_ZOOM = 2.0
_STRETCH = 0.15
_NEAR_REGION = 0.7
_WITHOUT_BODY = 0.2
_CONTACT_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class Example:
    """What the network sees and is to say: `[3, y, x]`, `[6, y, x]`, and the weight of each map."""

    planes: Floats
    targets: Floats
    weights: Floats


def draw_example(picture: Picture, rng: Rng) -> Example:
    """A random piece of `picture` as the network may meet it."""
    placed = _place(picture, rng)
    nuclei = _moved(picture.nuclei, placed)
    cells = _moved(picture.cells, placed)
    with_body = picture.body is not None and rng.random() >= _WITHOUT_BODY
    lit = relight(_warped(picture.nucleus, placed), nuclei, rng)
    body = None
    if picture.body is not None and with_body:
        body = relight(_warped(picture.body, placed), cells, rng)
    inner = np.s_[_AROUND:-_AROUND, _AROUND:-_AROUND]
    planes = network_planes(lit[inner], None if body is None else body[inner])
    # The picture goes on mirrored beyond its frame, of which nothing is asked.
    within = _warp(np.ones_like(picture.nucleus), placed, cv2.INTER_NEAREST, mirrored=False)
    targets, weights = [], []
    truths = ((nuclei, picture.deepest_nuclei, True), (cells, picture.deepest_cells, with_body))
    for labels, deepest, counts in truths:
        if labels is None or deepest is None or not counts:
            targets.append(np.zeros((3, SIDE, SIDE), np.float32))
            weights.append(np.zeros((3, SIDE, SIDE), np.float32))
            continue
        targets.append(target_maps(labels, deepest * placed.zoom)[:, inner[0], inner[1]])
        near = cv2.dilate(contacts(labels).astype(np.uint8), np.ones((5, 5), np.uint8))[inner]
        weight = np.where(near > 0, np.float32(_CONTACT_WEIGHT), np.float32(1))
        weights.append(np.broadcast_to(weight * within[inner], (3, SIDE, SIDE)))
    return Example(planes, np.concatenate(targets), np.concatenate(weights))


def relight(level: Plane, labels: Labels | None, rng: Rng) -> Plane:
    """Other exposure, contrast, unevenness, haze, focus and camera; one region may be dimmer."""
    if labels is not None and rng.random() < 0.3:
        gains = np.exp(rng.normal(0, 0.6, int(labels.max(initial=0)) + 1)).astype(np.float32)
        gains[0] = 1
        level = level * cv2.GaussianBlur(gains[labels], (0, 0), 1.0)
    if rng.random() < 0.3:
        haze = cv2.GaussianBlur(level, (0, 0), rng.uniform(2, 8))
        level = level + np.float32(rng.uniform(0.1, 0.6)) * haze
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
    """Where a piece lies: the matrix from its pixels to the picture's, and its scale."""

    matrix: npt.NDArray[np.float64]
    zoom: np.float32
    side: int


def _place(picture: Picture, rng: Rng) -> _Placed:
    zoom = WORK_DIAMETER / picture.diameter * _MOST_ZOOM ** rng.triangular(-1, 0, 1)
    stretch = np.exp(rng.uniform(-_STRETCH, _STRETCH))
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else np.pi / 2 * rng.integers(4)
    flip = rng.choice([-1.0, 1.0])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = turned @ np.diag([flip * stretch / zoom, 1 / (stretch * zoom)])
    side = SIDE + 2 * _AROUND
    middle = np.array([(side - 1) / 2, (side - 1) / 2])
    shift = _centre(picture, rng, SIDE / zoom / 2) - linear @ middle
    return _Placed(np.hstack([linear, shift[:, None]]), np.float32(zoom), side)


def _centre(picture: Picture, rng: Rng, reach: float) -> npt.NDArray[np.float64]:
    """`(x, y)` of the middle of the piece: mostly one that holds a region, and within the frame."""
    height, width = picture.nucleus.shape
    spots = picture.spots
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


def _moved(labels: Labels | None, placed: _Placed) -> Labels | None:
    if labels is None:
        return None
    # Float32 holds label numbers exactly up to 16 million.
    return _warp(labels.astype(np.float32), placed, cv2.INTER_NEAREST).astype(np.int32)


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
