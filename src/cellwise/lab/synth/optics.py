"""From light at the structures to counts of the camera: blur, scatter, bleeding, dust, noise, bits.

Source: figures 7.6 of the specification; staining faults and blur as in SimuCell (Rajaram et al.
2012); the camera is Poisson light plus Gaussian read-out (Janesick 2007, Photon transfer).
"""

import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.plan import OpticsPlan
from cellwise.lab.synth.texture import Plane, blur, wide_blur

# Light that fills the range at gain 1, in brightness of a typical structure.
FULL_SCALE = 3.0
_HAZE_SIGMA = 2.5
# Neighbours in the spectrum: blue -> green -> red -> yellow, in the order of the planes.
_RED, _GREEN, _BLUE, _YELLOW = range(4)
_SPECTRUM = (_BLUE, _GREEN, _RED, _YELLOW)
_MOST_16 = 65535
# Light is drawn as a normal number of the same mean and variance where nobody can tell: from this
# many photons, or from this read-out noise (electrons), the skewness of their sum is below 0.2.
_MANY = 25.0
_NOISY = 2.0


def expose(
    light: Plane, optics: OpticsPlan, *, pixel_size: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """The image `[channel, y, x]` that the camera gives of the light `[channel, y, x]`.

    Args:
        light: Brightness at the structures, 1 = typical; changed in place.
        optics: Of this field.
        pixel_size: Micrometres per pixel.
        rng: The stream of this field's camera.
    """
    for plane, sigma in zip(light, optics.psf_um, strict=True):
        plane[:] = blur(plane, sigma / pixel_size)
        if optics.haze > 0:
            spread = wide_blur(plane, _HAZE_SIGMA / pixel_size)
            plane += np.float32(optics.haze) * (spread - plane)
    _bleed(light, optics.bleed)
    light *= _lens(light.shape[1], optics, pixel_size=pixel_size, rng=rng)
    return _detect(light, optics, rng=rng)


def _bleed(light: Plane, share: float) -> None:
    """Each dye shows in the next longer channel, and a third as much in the next shorter."""
    if share <= 0:
        return
    clean = light[list(_SPECTRUM)]
    for position, channel in enumerate(_SPECTRUM):
        if position > 0:
            light[channel] += share * clean[position - 1]
        if position + 1 < len(_SPECTRUM):
            light[channel] += share / 3 * clean[position + 1]


def _lens(size: int, optics: OpticsPlan, *, pixel_size: float, rng: np.random.Generator) -> Plane:
    """What arrives `[y, x]`: less in the corners, less behind specks of dust."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    arrives = 1 - np.float32(optics.vignette / 2) * (axis[:, None] ** 2 + axis[None, :] ** 2)
    for _ in range(optics.dust):
        y, x = rng.uniform(0, size, 2)
        radius = rng.uniform(1.5, 5.0) / pixel_size
        depth = rng.uniform(0.3, 0.8)
        rows = np.exp(-0.5 * np.square((np.arange(size) - y) / radius)).astype(np.float32)
        columns = np.exp(-0.5 * np.square((np.arange(size) - x) / radius)).astype(np.float32)
        arrives *= 1 - np.float32(depth) * rows[:, None] * columns[None, :]
    return np.asarray(arrives, np.float32)


def _detect(
    light: Plane, optics: OpticsPlan, *, rng: np.random.Generator
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Photons, read-out, gain, offset, clipping."""
    # Counts of a 16-bit camera; an 8-bit image is the same with 257 counts to a grey level.
    gain = (_MOST_16 - optics.offset) / (FULL_SCALE * optics.photons) * optics.saturation_gain
    depth = 257.0 if optics.bits == 8 else 1.0
    kind = np.uint8 if optics.bits == 8 else np.uint16
    image = np.empty(light.shape, kind)
    for channel, plane in enumerate(light):
        photons = np.maximum(plane, 0) * np.float32(optics.photons)
        noise = rng.standard_normal(plane.shape, dtype=np.float32)
        counts = np.sqrt(photons + np.float32(optics.read_noise**2))
        counts *= noise
        counts += photons
        if optics.read_noise < _NOISY:
            few = photons < _MANY
            arrived = rng.poisson(photons[few]).astype(np.float32)
            counts[few] = arrived + noise[few] * np.float32(optics.read_noise)
        counts *= np.float32(gain / depth)
        counts += np.float32(optics.offset / depth + 0.5)
        image[channel] = np.clip(counts, 0, np.iinfo(kind).max).astype(kind)
    return image
