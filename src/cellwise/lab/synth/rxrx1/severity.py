"""How hard an RxRx1 world is: every knob of its effects, under three names.

Source: own choice within the published facts of RxRx1 (a fifth of the siRNAs without effect, cell
types that agree in part, batches that outweigh most treatments). The knobs are frozen before any
learner is run: a test pins their digests.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from cellwise.errors import UnknownName
from cellwise.lab.synth.rxrx1.morphology import CELL_TYPES, PARAMETERS
from cellwise.registry import did_you_mean


@dataclass(frozen=True, slots=True)
class PlateSeverity:
    """How hard an RxRx1 world is.

    Args:
        name: What the command line calls it.
        strength: Median length of an siRNA's effect, in steps.
        strength_spread: Standard deviation of the logarithm of that length.
        nothing: Share of treatments without any effect, in each group.
        agreement: Correlation of a treatment's effects in two cell types.
        batch: Size of the batch effects, 1 = as `BATCH_SPREAD` says.
        aberrant: How many times larger they are in an aberrant experiment.
        wells: Standard deviation of each parameter between wells of the same treatment, in steps.
        efficacy: Standard deviation, between experiments, of the logarithm of an effect's length.
    """

    name: str
    strength: float
    strength_spread: float = 0.5
    nothing: float = 0.2
    agreement: float = 0.5
    batch: float = 1.0
    aberrant: float = 2.5
    wells: float = 0.25
    efficacy: float = 0.15


SEVERITIES = {
    "easy": PlateSeverity("easy", strength=6.0, batch=0.5, wells=0.15, efficacy=0.1),
    "default": PlateSeverity("default", strength=4.0),
    "hard": PlateSeverity("hard", strength=3.0, batch=1.5, wells=0.30, efficacy=0.2),
}


@dataclass(frozen=True, slots=True)
class BatchSpread:
    """Standard deviations of an experiment's batch effect at size 1.

    Args:
        gain: Of the logarithm of the gain.
        offset: Grey values of 255; offsets are never negative.
        gamma: Of the logarithm of the exponent.
        blur: Micrometres; blurs are never negative.
        culture: Steps, of the few parameters that passage and density move.
        most: Largest change of the logarithm of gain or gamma: no plate is wholly dark.
        gradient: Of the logarithm of the gain, from one end of a plate to the other.
        position: The same from the plate's middle to its rim.
    """

    gain: float = 0.35
    offset: float = 3.0
    gamma: float = 0.10
    blur: float = 0.45
    culture: float = 0.8
    most: float = 1.5
    gradient: float = 0.20
    position: float = 0.15


BATCH_SPREAD = BatchSpread()


def severity_named(name: str) -> PlateSeverity:
    """The severity of this name.

    Raises:
        UnknownName: There is none of this name for RxRx1 worlds.
    """
    if name not in SEVERITIES:
        raise UnknownName(
            f"--severity of an RxRx1 world is one of {', '.join(SEVERITIES)}, not {name!r}."
            f"{did_you_mean(name, list(SEVERITIES))}"
        )
    return SEVERITIES[name]


def digest(severity: PlateSeverity) -> str:
    """Sha256 of the knobs, the sizes of batch effects and the morphology, as canonical JSON.

    Two worlds of one digest differ by seed, size and design only.
    """
    whole = {
        "severity": asdict(severity),
        "batch": asdict(BATCH_SPREAD),
        "parameters": {name: asdict(parameter) for name, parameter in PARAMETERS.items()},
        "cell_types": {name: asdict(cell_type) for name, cell_type in CELL_TYPES.items()},
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
