"""One site of an RxRx1 world as images: scene, stains, light, camera.

Source: own design; optics and camera as SIMCEP (Lehmussola et al. 2007, IEEE Trans. Med. Imaging
26:1010) makes them: blur, uneven light, Poisson and read noise, a camera of 8 bits.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.rxrx1.effects import Camera
from cellwise.lab.synth.rxrx1.morphology import CELL_TYPES, CHANNELS
from cellwise.lab.synth.rxrx1.scene import Plane, Scene, make_scene
from cellwise.lab.synth.rxrx1.stains import stain

# RxRx1's own: nuclei of about 15 micrometres are 22 pixels wide.
PIXEL_SIZE = 0.65
_PSF_UM = (0.45, 0.50, 0.50, 0.55, 0.50, 0.55)
_SCATTERED_SHARE, _SCATTERED_UM = 0.12, 8.0
_FOCUS_SPREAD_UM = 0.25
_VIGNETTE = 0.10
_BACKGROUND = 0.03
_PHOTONS_PER_GREY = 6.0
_READ_NOISE = 0.5
_DEBRIS_PER_UM2 = 4e-5


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One site, small enough to travel to a worker.

    Args:
        seed: Seed of the world.
        name: The site's id, `{experiment}_{plate}_{well}_{site}`.
        size: Side in pixels.
        cell_type: A name of `rxrx1_morphology.CELL_TYPES`.
        steps: The looks of the well, one number per parameter.
        camera: What staining and imaging do.
        pixel_size: Micrometres per pixel.
    """

    seed: int
    name: str
    size: int
    cell_type: str
    steps: tuple[float, ...]
    camera: Camera
    pixel_size: float = PIXEL_SIZE


@dataclass(frozen=True, slots=True)
class Member:
    """One cell that shows in the site; `ignored` where less than half of it is in view."""

    cell_id: int
    mitotic: bool
    in_view: float
    ignored: bool


@dataclass(frozen=True, slots=True)
class RenderedSite:
    """Images and truth of one site.

    Args:
        pixels: uint8 `[channel, y, x]`, channels as in `CHANNELS`.
        cells: Label image `[y, x]`, ids 1..n.
        nuclei: The same ids; every nucleus lies in its cell.
        members: One entry per id.
    """

    pixels: npt.NDArray[np.uint8]
    cells: npt.NDArray[Any]
    nuclei: npt.NDArray[Any]
    members: tuple[Member, ...]


def render_site(plan: SitePlan) -> RenderedSite:
    """Draw one site; the same plan gives the same pixels, in any order and any process."""
    cell_type = CELL_TYPES[plan.cell_type]
    scene = make_scene(
        plan.seed,
        plan.name,
        size=plan.size,
        pixel_size=plan.pixel_size,
        cell_type=cell_type,
        steps=np.asarray(plan.steps),
    )
    light = stain(scene)
    light += _debris(scene)
    pixels = np.stack(
        [
            _photograph(
                scene,
                light[channel],
                channel=channel,
                camera=plan.camera,
                brightness=cell_type.brightness[channel],
            )
            for channel in range(len(CHANNELS))
        ]
    )
    return RenderedSite(pixels, scene.cells, scene.nuclei, _members(scene))


def _members(scene: Scene) -> tuple[Member, ...]:
    shown = np.bincount(scene.nuclei.ravel(), minlength=len(scene.placed) + 1) > 0
    return tuple(
        Member(c.id, c.mitotic, c.in_view, c.in_view < 0.5 or not bool(shown[c.id]))
        for c in scene.placed
    )


def _debris(scene: Scene) -> Plane:
    """Dead cells: small, round and bright in every channel, and of no class."""
    rng = scene.rng("debris")
    side = len(scene.cells)
    canvas = np.zeros((side, side), np.float32)
    area = (side * scene.pixel_size) ** 2
    for _ in range(int(rng.poisson(_DEBRIS_PER_UM2 * area))):
        at = rng.integers(0, side, 2)
        radius = max(round(rng.uniform(1.5, 4.0) / scene.pixel_size), 1)
        cv2.circle(canvas, (int(at[1]), int(at[0])), radius, float(rng.uniform(1.0, 3.0)), -1)
    strength = rng.uniform(0.3, 1.2, len(CHANNELS)).astype(np.float32)
    return np.asarray(strength[:, None, None] * cv2.GaussianBlur(canvas, (0, 0), 1.5), np.float32)


def _photograph(
    scene: Scene, light: Plane, *, channel: int, camera: Camera, brightness: float
) -> npt.NDArray[np.uint8]:
    """Blur, scattered light, uneven light, gain, gamma, noise, 8 bits."""
    rng = scene.rng(f"camera {CHANNELS[channel]}")
    defocus = _FOCUS_SPREAD_UM * scene.rng("focus").standard_normal()
    sigma = float(np.linalg.norm([_PSF_UM[channel], camera.blur[channel], defocus]))
    sharp = cv2.GaussianBlur(light, (0, 0), max(sigma / scene.pixel_size, 0.3))
    scattered = _wide_blur(sharp, _SCATTERED_UM / scene.pixel_size)
    seen = (1 - _SCATTERED_SHARE) * sharp + _SCATTERED_SHARE * scattered + np.float32(_BACKGROUND)
    seen *= _illumination(scene) * np.float32(brightness * camera.gain[channel] / 255)
    # Gamma bends about the stain's own brightness, so that it is no second gain.
    pivot = np.float32(brightness / 255)
    grey = 255 * pivot * np.power(seen / pivot, np.float32(camera.gamma[channel]))
    grey += np.float32(camera.offset[channel])
    noise = rng.standard_normal(grey.shape, dtype=np.float32)
    grey += noise * np.sqrt(grey / np.float32(_PHOTONS_PER_GREY) + np.float32(_READ_NOISE**2))
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def _wide_blur(plane: Plane, sigma: float) -> Plane:
    """A wide blur, made on a quarter of the size: scattered light has no detail to lose."""
    side = len(plane)
    small = cv2.resize(plane, (max(side // 4, 1),) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.5), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR))


def _illumination(scene: Scene) -> Plane:
    """Light falls off towards the corners."""
    axis = np.linspace(-1, 1, len(scene.cells), dtype=np.float32)
    return 1 - np.float32(_VIGNETTE / 2) * (axis[:, None] ** 2 + axis[None, :] ** 2)
