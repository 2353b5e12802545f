"""The parameters of a cell's looks that an siRNA can move, and what each cell type is like.

Source: the feature families of Cell Painting (Bray et al. 2016, Nature Protocols 11:1757): size,
shape, intensity, texture and place of each stain. Cell types and channel brightness as in RxRx1
(Recursion 2019): sizes and brightness were read off its untreated wells.

Parameters move in steps: 0 is typical, 1 is a change that a trained eye may see. The value of a
parameter is `typical * exp(step_size * steps)`, kept within `low..high`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHANNELS = ("nucleus", "er", "actin", "rna", "mitochondria", "golgi")

Steps = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing about the looks of cells.

    Args:
        typical: Its value at 0 steps, in the unit its name tells (shares and factors else).
        step_size: Change of its logarithm per step.
        low: Its smallest value.
        high: Its largest value.
        varies: Standard deviation between the cells of one well, in steps.
    """

    typical: float
    step_size: float
    low: float
    high: float
    varies: float = 0.5


# Order is part of the frozen worlds: new parameters are added at the end.
PARAMETERS: dict[str, Parameter] = {
    "cell_count": Parameter(1.0, 0.15, 0.25, 1.6, 0.0),
    "clustering": Parameter(0.35, 0.3, 0.0, 1.0, 0.0),
    "nucleus_area": Parameter(1.0, 0.10, 0.4, 2.2, 0.0),
    "nucleus_elongation": Parameter(1.0, 0.08, 0.75, 1.8, 0.0),
    "nucleus_roughness": Parameter(0.03, 0.35, 0.005, 0.16, 0.0),
    "cell_elongation": Parameter(1.0, 0.14, 0.6, 2.5, 0.0),
    "cell_spread": Parameter(1.0, 0.10, 0.5, 1.7, 0.0),
    "mitotic_share": Parameter(0.03, 0.5, 0.0, 0.4, 0.0),
    "nucleus_brightness": Parameter(1.0, 0.10, 0.3, 3.0, 1.0),
    "chromatin_contrast": Parameter(0.18, 0.22, 0.02, 0.8, 0.5),
    "chromatin_grain": Parameter(0.8, 0.18, 0.4, 2.5, 0.0),
    "er_brightness": Parameter(1.0, 0.12, 0.3, 3.0, 1.2),
    "er_reach": Parameter(0.55, 0.16, 0.12, 2.0, 0.6),
    "er_contrast": Parameter(0.20, 0.22, 0.02, 0.9, 0.5),
    "er_grain": Parameter(0.8, 0.18, 0.4, 3.0, 0.0),
    "actin_brightness": Parameter(1.0, 0.12, 0.3, 3.0, 1.0),
    "actin_fibres": Parameter(0.5, 0.25, 0.02, 3.0, 1.5),
    "actin_disorder": Parameter(0.15, 0.30, 0.02, 1.5, 0.5),
    "actin_cortex": Parameter(0.5, 0.22, 0.02, 2.5, 0.8),
    "actin_dots": Parameter(0.10, 0.4, 0.0, 2.0, 1.0),
    "nucleoli_count": Parameter(3.0, 0.20, 0.3, 12.0, 0.8),
    "nucleoli_radius": Parameter(1.15, 0.13, 0.5, 2.6, 0.6),
    "nucleoli_brightness": Parameter(1.2, 0.20, 0.1, 4.0, 0.6),
    "rna_in_nucleus": Parameter(0.40, 0.20, 0.05, 1.5, 0.5),
    "rna_brightness": Parameter(1.0, 0.12, 0.3, 3.0, 1.0),
    "mitochondria_brightness": Parameter(1.0, 0.14, 0.25, 3.5, 1.4),
    "mitochondria_reach": Parameter(0.4, 0.2, 0.1, 2.0, 0.6),
    "mitochondria_length": Parameter(4.5, 0.25, 0.8, 14.0, 0.0),
    "mitochondria_count": Parameter(1.0, 0.18, 0.2, 3.0, 0.6),
    "golgi_brightness": Parameter(1.0, 0.16, 0.25, 3.5, 2.0),
    "golgi_spread": Parameter(2.2, 0.25, 0.6, 9.0, 0.5),
    "golgi_pieces": Parameter(7.0, 0.25, 1.0, 30.0, 0.5),
    "golgi_in_nucleus": Parameter(0.35, 0.20, 0.05, 1.5, 0.8),
}
NAMES = tuple(PARAMETERS)


@dataclass(frozen=True, slots=True)
class CellType:
    """One of the four kinds of cells.

    Args:
        density: Cells per 10,000 square micrometres.
        nucleus_area: Mean, square micrometres.
        area: Of a cell with room to spread, square micrometres.
        elongation: Long over short axis of the nucleus.
        brightness: Grey value (of 255) of the six stains where they are typical.
        steps: Where the type's own looks lie away from typical, by parameter.
    """

    density: float
    nucleus_area: float
    area: float
    elongation: float
    brightness: tuple[float, float, float, float, float, float]
    steps: tuple[tuple[str, float], ...]

    def own_steps(self) -> Steps:
        """The looks of the untreated type `[parameter]`."""
        return steps_of(dict(self.steps))


CELL_TYPES: dict[str, CellType] = {
    "HUVEC": CellType(
        13.0, 215.0, 1000.0, 1.4, (44.0, 46.0, 24.0, 40.0, 22.0, 34.0),
        (("actin_fibres", 2.0), ("actin_dots", -1.0), ("clustering", -1.0)),
    ),
    "RPE": CellType(
        8.0, 240.0, 1700.0, 1.5, (40.0, 40.0, 40.0, 34.0, 30.0, 34.0),
        (("actin_fibres", 3.0), ("actin_disorder", -1.0), ("mitochondria_reach", 1.0)),
    ),
    "HEPG2": CellType(
        38.0, 120.0, 330.0, 1.2, (90.0, 52.0, 64.0, 76.0, 90.0, 60.0),
        (
            ("actin_fibres", -5.0), ("actin_cortex", 1.0), ("actin_dots", 3.0),
            ("clustering", 2.5), ("mitochondria_length", -2.0), ("er_reach", 3.0),
        ),
    ),
    "U2OS": CellType(
        11.0, 280.0, 1100.0, 1.3, (60.0, 34.0, 30.0, 30.0, 26.0, 44.0),
        (("actin_cortex", 1.0), ("nucleoli_count", 2.0), ("nucleoli_radius", -1.0)),
    ),
}  # fmt: skip


def steps_of(changes: dict[str, float]) -> Steps:
    """A vector `[parameter]` that is zero but for the named parameters."""
    steps = np.zeros(len(NAMES))
    for name, value in changes.items():
        steps[NAMES.index(name)] = value
    return steps


def values(steps: Steps) -> dict[str, npt.NDArray[np.float64]]:
    """What the steps `[..., parameter]` mean: the value of each parameter `[...]`."""
    return {
        name: np.clip(
            parameter.typical * np.exp(parameter.step_size * steps[..., position]),
            parameter.low,
            parameter.high,
        )
        for position, (name, parameter) in enumerate(PARAMETERS.items())
    }


def spread_between_cells() -> Steps:
    """Standard deviation between the cells of a well `[parameter]`, in steps."""
    return np.array([parameter.varies for parameter in PARAMETERS.values()])
