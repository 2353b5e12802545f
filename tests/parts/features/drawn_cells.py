"""A small field with drawn cells, some of them odd, for tests of features."""

import numpy as np

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks

CHANNELS = (
    Channel("blue", "nucleus"),
    Channel("green", "protein"),
    Channel("red", "microtubule"),
)
SIDE = 120
# Of cells 1 to 6: y, x, radius, radius of the nucleus.
PLACES = (
    (30, 30, 24, 9), (30, 88, 22, 8), (80, 28, 20, 7), (84, 84, 26, 10), (6, 62, 14, 0),
    (114, 58, 3, 0),
)  # fmt: skip


def draw(seed=0, channels=CHANNELS):
    """A field whose cell 5 lies at the border without a nucleus and whose cell 6 is tiny."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    cells, nuclei = np.zeros((SIDE, SIDE), np.uint16), np.zeros((SIDE, SIDE), np.uint16)
    for number, (cy, cx, radius, inner) in enumerate(PLACES, 1):
        away = np.hypot(y - cy, 1.2 * (x - cx))
        cells[away < radius] = number
        if inner:
            nuclei[away < inner] = number
    pixels = rng.gamma(4, 0.05, (len(channels), SIDE, SIDE)) * (0.2 + (cells > 0))
    for plane in pixels:
        for _ in range(25):
            cy, cx = rng.uniform(0, SIDE, 2)
            plane += 0.4 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / rng.uniform(2, 14))
    pixels[0] += 0.5 * (nuclei > 0)
    return Field("s", (pixels / pixels.max()).astype(np.float32), channels), Masks(cells, nuclei)
