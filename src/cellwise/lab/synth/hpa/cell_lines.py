"""Cell lines of a world, and how many cells a field holds.

Source: figures 7.2 (quantiles of the 472,558 cells in the 21,806 training images of Kaggle HPA
2021) and 7.3 (what a line has of its own) of the field notes.
"""

import numpy as np
from scipy.stats import norm

from cellwise.lab.synth.plan import CellLine
from cellwise.lab.synth.randomness import generator

# Normal quantile and cells in a field of 164 um; the ends reach the largest field known.
_FIELD_UM = 163.84
_PLACES = (-3.9, -1.645, -0.674, 0.0, 0.674, 1.645, 3.9)
_COUNTS = (3.0, 9.0, 13.0, 18.0, 27.0, 46.0, 112.0)
# Lines of small cells grow denser: correlation of density with the rank of the line.
_DENSE = 0.6
_LINES = (8, 18)
_AREA_UM2 = 780.0
_AREA_SPREAD = 0.3


def draw_cell_lines(seed: int) -> tuple[CellLine, ...]:
    """The 8 to 17 cell lines of a world, from large cells to small ones."""
    rng = generator(seed, "cell lines")
    count = int(rng.integers(*_LINES))
    areas = np.sort(_AREA_UM2 * np.exp(_AREA_SPREAD * rng.standard_normal(count)))[::-1]
    lines = []
    for number, area in enumerate(np.clip(areas, 420.0, 1500.0)):
        red, green, blue, yellow = (float(g) for g in np.exp(0.2 * rng.standard_normal(4)))
        lines.append(
            CellLine(
                name=f"line{number:02d}",
                area=float(area),
                elongation=float(rng.uniform(1.05, 1.8)),
                nucleus_share=float(rng.uniform(0.2, 0.34)),
                crowding=float(rng.uniform(0.2, 0.9)),
                gains=(red, green, blue, yellow),
            )
        )
    return tuple(lines)


def line_density(number: int, lines: int) -> float:
    """How dense a line grows, as a standard normal value; they are sorted from large cells on."""
    return float(norm.ppf((number + 0.5) / lines))


def draw_count(density: float, *, side_um: float, rng: np.random.Generator) -> int:
    """Cells in one field; at least one.

    Args:
        density: Of the cell line, see `line_density`.
        side_um: Side of the field in micrometres; the count grows with its area.
        rng: The stream of the sample.
    """
    place = _DENSE * density + np.sqrt(1 - _DENSE**2) * rng.standard_normal()
    full = np.exp(np.interp(place, _PLACES, np.log(_COUNTS)))
    return max(1, int(full * (side_um / _FIELD_UM) ** 2 + rng.random()))
