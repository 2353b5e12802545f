"""What makes one well look unlike another: siRNA, cell type, experiment, plate, place, chance.

Source: own design after the published properties of RxRx1 (Sypetkowski et al. 2023, RxRx1: a
dataset for evaluating experimental batch correction methods) and of siRNA screens in general: many
treatments do nothing, a treatment moves few things at once, cell types answer alike only in part,
and what an experiment does to the image is larger than what most treatments do.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.rxrx1.design import INNER_WELLS, Design, Experiment, Well
from cellwise.lab.synth.rxrx1.morphology import CELL_TYPES, CHANNELS, NAMES, Steps, steps_of
from cellwise.lab.synth.rxrx1.severity import BATCH_SPREAD, PlateSeverity

# Parameters one treatment moves.
_FEWEST, _MOST = 3, 6
_CONTROL_STRENGTH = 1.3
_PLATE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Camera:
    """What staining and imaging do to the six channels, in the order of `CHANNELS`.

    Args:
        gain: Factor on the light.
        offset: Grey values (of 255) added to all pixels.
        gamma: Exponent of the image in 0..1.
        blur: Standard deviation of extra blur, micrometres.
    """

    gain: tuple[float, ...]
    offset: tuple[float, ...]
    gamma: tuple[float, ...]
    blur: tuple[float, ...]

    def then(self, other: "Camera") -> "Camera":
        """Both effects at once: gains and gammas multiply, offsets add, blurs add as variances."""
        pairs = {
            name: np.array([getattr(self, name), getattr(other, name)])
            for name in ("gain", "offset", "gamma", "blur")
        }
        return _camera(
            pairs["gain"].prod(axis=0),
            offset=pairs["offset"].sum(axis=0),
            gamma=pairs["gamma"].prod(axis=0),
            blur=np.hypot(*pairs["blur"]),
        )


_CULTURE = (
    "cell_count", "clustering", "nucleus_area", "cell_spread", "mitotic_share",
    "chromatin_contrast", "actin_fibres", "mitochondria_length", "golgi_spread",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WellState:
    """Everything that tells one well's images: its looks in steps, and its camera."""

    steps: tuple[float, ...]
    camera: Camera


@dataclass(frozen=True, slots=True)
class Effects:
    """All effects of a world, drawn from its seed when asked for.

    Args:
        design: The plates.
        severity: How large the effects are.
        without_effect: The treatments that do nothing.
    """

    design: Design
    severity: PlateSeverity
    without_effect: frozenset[int]

    def strength(self, sirna: int) -> float:
        """Length of an siRNA's effect, in steps; 0 for the untreated and for those without any."""
        if sirna == self.design.untreated or sirna in self.without_effect:
            return 0.0
        severity = self.severity
        size = severity.strength * (_CONTROL_STRENGTH if sirna >= self.design.classes else 1.0)
        rng = generator(self.design.seed, "strength", sirna)
        return float(size * np.exp(severity.strength_spread * rng.standard_normal()))

    def of_sirna(self, sirna: int, cell_type: str) -> Steps:
        """An siRNA's effect in a cell type `[parameter]`, the same in all its experiments.

        A part common to all types and a part of its own for each, so that the effects in two types
        correlate by `agreement`.
        """
        strength, seed = self.strength(sirna), self.design.seed
        if strength == 0:
            return np.zeros(len(NAMES))
        common = _few(generator(seed, "direction", sirna))
        own = _few(generator(seed, "direction", sirna, cell_type))
        share = self.severity.agreement
        return np.asarray(strength * (np.sqrt(share) * common + np.sqrt(1 - share) * own))

    def of_experiment(self, experiment: Experiment) -> tuple[Steps, Camera]:
        """What the batch does to the cells and to the image."""
        size = self.severity.batch * (self.severity.aberrant if experiment.aberrant else 1.0)
        rng = generator(self.design.seed, "experiment", experiment.name)
        shifts = rng.standard_normal(len(_CULTURE)) * BATCH_SPREAD.culture * size
        return steps_of(dict(zip(_CULTURE, shifts.tolist(), strict=True))), _drawn(rng, size)

    def of_plate(self, experiment: Experiment, plate: int) -> Camera:
        """What one plate adds: half of what an experiment does, aberrant or not."""
        size = self.severity.batch * _PLATE_SHARE
        return _drawn(generator(self.design.seed, "plate", experiment.name, plate), size)

    def of_place(self, experiment: Experiment, well: Well) -> Camera:
        """The plate's gradient and its rim: a gain per channel that depends on the well alone."""
        rng = generator(self.design.seed, "gradient", experiment.name, well.plate)
        slopes = rng.standard_normal((2, len(CHANNELS))) * BATCH_SPREAD.gradient / 2
        rim = rng.standard_normal(len(CHANNELS)) * BATCH_SPREAD.position
        down, right = place(well.name)
        from_middle = max(abs(down), abs(right)) ** 2
        light = slopes[0] * down + slopes[1] * right + rim * (from_middle - 1 / 3)
        still = np.zeros(len(CHANNELS))
        gain = np.exp(self.severity.batch * light)
        return _camera(gain, offset=still, gamma=still + 1, blur=still)

    def of_well(self, experiment: Experiment, well: Well) -> WellState:
        """All effects of a well together."""
        rng = generator(self.design.seed, "well", well.id_code)
        chance = rng.standard_normal(len(NAMES)) * self.severity.wells
        times = generator(self.design.seed, "efficacy", experiment.name, well.sirna)
        efficacy = np.exp(times.standard_normal() * self.severity.efficacy)
        culture, batch = self.of_experiment(experiment)
        steps = (
            CELL_TYPES[experiment.cell_type].own_steps()
            + culture
            + efficacy * self.of_sirna(well.sirna, experiment.cell_type)
            + chance
        )
        camera = batch.then(self.of_plate(experiment, well.plate))
        return WellState(tuple(steps.tolist()), camera.then(self.of_place(experiment, well)))


def make_effects(design: Design, severity: PlateSeverity) -> Effects:
    """Draw which treatments do nothing, the same share of each group; the rest waits."""
    found: list[int] = []
    for number, group in enumerate(design.groups):
        rng = generator(design.seed, "nothing", number)
        found += rng.permutation(group)[: round(severity.nothing * len(group))].tolist()
    return Effects(design, severity, frozenset(found))


def place(well: str) -> tuple[float, float]:
    """Where a well lies, down and right, each -1..1 from one rim of the used wells to the other."""
    row, column = divmod(INNER_WELLS.index(well), 22)
    return row / 13 * 2 - 1, column / 21 * 2 - 1


def _few(rng: np.random.Generator) -> Steps:
    """A direction of length 1 in which few parameters move."""
    count = int(rng.integers(_FEWEST, _MOST + 1))
    direction = np.zeros(len(NAMES))
    direction[rng.choice(len(NAMES), count, replace=False)] = rng.standard_normal(count)
    return direction / np.linalg.norm(direction)


def _drawn(rng: np.random.Generator, size: float) -> Camera:
    draws = rng.standard_normal((4, len(CHANNELS))) * size
    return _camera(
        np.exp(np.clip(BATCH_SPREAD.gain * draws[0], -BATCH_SPREAD.most, BATCH_SPREAD.most)),
        offset=np.abs(BATCH_SPREAD.offset * draws[1]),
        gamma=np.exp(np.clip(BATCH_SPREAD.gamma * draws[2], -BATCH_SPREAD.most, BATCH_SPREAD.most)),
        blur=np.abs(BATCH_SPREAD.blur * draws[3]),
    )


def _camera(
    gain: npt.NDArray[np.float64],
    *,
    offset: npt.NDArray[np.float64],
    gamma: npt.NDArray[np.float64],
    blur: npt.NDArray[np.float64],
) -> Camera:
    return Camera(
        tuple(gain.tolist()), tuple(offset.tolist()), tuple(gamma.tolist()), tuple(blur.tolist())
    )
