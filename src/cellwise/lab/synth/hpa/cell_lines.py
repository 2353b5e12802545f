"""Cell lines of a world, and how many cells a field holds.

Source: figures 7.2 (quantiles of the 472,558 cells in the 21,806 training images of Kaggle HPA
2021) and 7.3 (what a line has of its own) of the field notes.
"""

import numpy as np
from scipy.stats import norm

from cellwise.lab.synth.plan import CellLine
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.style import USUAL_LINES, LineRanges

# Normal quantile and cells in a field of 164 um; the ends reach the largest field known.
_FIELD_UM = 163.84
_PLACES = (-3.9, -1.645, -0.674, 0.0, 0.674, 1.645, 3.9)
_COUNTS = (3.0, 9.0, 13.0, 18.0, 27.0, 46.0, 112.0)
# Lines of small cells grow denser: correlation of density with the rank of the line.
_DENSE = 0.6


def draw_cell_lines(seed: int, ranges: LineRanges = USUAL_LINES) -> tuple[CellLine, ...]:
    """The cell lines of a world, usually 8 to 17, from large cells to small ones."""
    rng = generator(seed, "cell lines")
    count = int(rng.integers(*ranges.number))
    spread = np.exp(ranges.area_spread * rng.standard_normal(count))
    areas = np.sort(ranges.area * spread)[::-1]
    lines = []
    for number, area in enumerate(np.clip(areas, *ranges.areas)):
        gains = np.exp(ranges.gain_spread * rng.standard_normal(4))
        red, green, blue, yellow = (float(gain) for gain in gains)
        lines.append(
            CellLine(
                name=f"line{number:02d}",
                area=float(area),
                elongation=float(rng.uniform(*ranges.elongation)),
                nucleus_share=float(rng.uniform(*ranges.nucleus_share)),
                crowding=float(rng.uniform(*ranges.crowding)),
                gains=(red, green, blue, yellow),
            )
        )
    return tuple(lines)


def line_density(number: int, lines: int) -> float:
    """How dense a line grows, as a standard normal value; they are sorted from large cells on."""
    return float(norm.ppf((number + 0.5) / lines))


def draw_count(
    density: float, *, side_um: float, rng: np.random.Generator, thick: float = 1.0
) -> int:
    """Cells in one field; at least one.

    Args:
        density: Of the cell line, see `line_density`.
        side_um: Side of the field in micrometres; the count grows with its area.
        rng: The stream of the sample.
        thick: Cells per area, times the usual.
    """
    place = _DENSE * density + np.sqrt(1 - _DENSE**2) * rng.standard_normal()
    full = np.exp(np.interp(place, _PLACES, np.log(_COUNTS)))
    return max(1, int(full * thick * (side_um / _FIELD_UM) ** 2 + rng.random()))
