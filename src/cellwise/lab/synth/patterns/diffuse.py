"""Patterns without structure: cytosol, and what a negative cell shows."""

import numpy as np

from cellwise.lab.synth.landmarks import Landmarks
from cellwise.lab.synth.patterns.drawn import Drawn


def cytosol(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The cell minus its nucleus, smooth, thicker inside; the nucleus leaks 0-.3."""
    window = landmarks.window
    leak, mottle = look.uniform(0.0, 0.3), look.uniform(0.04, 0.14)
    grain = 1 + mottle * window.grain(0.6, rng=rng) + 0.08 * window.grain(4.0, rng=rng)
    inner = leak * (1 - 0.5 * landmarks.nucleolar) * window.nucleus
    return Drawn(window.height * window.cytoplasm * grain, inner * grain)


def negative(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Autofluorescence at .02-.1 of a stain, with diffuse light that follows no structure."""
    window = landmarks.window
    brightness = look.uniform(0.02, 0.1)
    cloud = np.maximum(1 + 0.35 * window.grain(8.0, rng=rng), 0.1)
    light = brightness * cloud * (0.3 + 0.7 * window.height) * window.body
    return Drawn(np.zeros_like(light), light)
