"""How hard a made world is: every knob of the label model and of the optics, under three names.

Source: figures 7.5 and 7.6 of the field notes for `default`. `easy` has little noise, `hard` is the
difficult end of biology: labels that go together, cells that show one of them at a time.
The knobs are frozen (a test pins their digests) and no figure of a learner was used to choose them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from cellwise.errors import UnknownName
from cellwise.lab.synth.hpa.label_families import FAMILIES
from cellwise.lab.synth.hpa.label_sets import SPREAD_OUT
from cellwise.registry import did_you_mean

Pair = tuple[float, float]
FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Severity:
    """All knobs of a world; pairs called `beta` are its two parameters, other pairs are ranges.

    Args:
        name: What the command line calls it.
        families: Label sets come from fixed protein families, not from the empirical frequencies.
        full_presence: Every cell shows every label of its protein; nothing else is switched off.
        scv: Share of labels that vary from cell to cell (single-cell variability), 0..1.
        ubiquitous_beta: Share of cells showing a ubiquitous label.
        variable_beta: Share of cells showing a variable label.
        aggresome_beta: Share of cells showing an aggresome.
        mitotic_beta: Share of mitotic cells in a sample; of a spindle protein only they show it.
        cycle: Share of the variation that follows the cell cycle, which all labels of a cell share.
        exclusive: A cell shows one label of its protein at a time: the states exclude each other.
        second: Probability that an exclusive cell shows a second label, 0..1.
        dominant: Share of cells (from, to) in the foremost of the exclusive states.
        balance: Dirichlet concentration of the other states' shares; large = alike.
        concentration: Dirichlet concentration of the mixture weights; large = equal weights.
        cell_spread: Log-normal sigma of the intensity between cells.
        protein_spread: Log-normal sigma of the intensity between proteins.
        unstained: Share of cells that the antibody did not reach.
        out_of_focus: Share of cells out of focus.
        faint: Share of cells with a further pattern too weak to be true.
        unspecific: Share of the proteins without labels that are stained below the noise.
        miss: Probability that the annotator misses a ubiquitous, and a variable or rare label.
        miss_spindle: The same for the spindle.
        false_adds: Share of a class's given labels that no cell shows.
        majority: A label is given when more than this share of the sample's images show it.
        images: Probability that a sample has one, two, ... images.
        bits: 8 or 16.
        photons: Photons at a structure of intensity 1.
        least_photons: Photons at a typical structure of a dim protein: it is exposed until then.
        read_noise: Electrons.
        psf_um: Gaussian sigma, micrometres.
        haze: Share of light spread widely.
        bleed: Share of a channel that shows in its neighbours.
        vignette: Loss of light at the corners.
        dust: Probability of a speck in a field.
        saturated: Share of fields whose bright end is cut.
    """

    name: str
    families: bool = False
    full_presence: bool = False
    scv: float = 0.08
    ubiquitous_beta: Pair = (18.0, 2.0)
    variable_beta: Pair = (1.5, 2.0)
    aggresome_beta: Pair = (2.0, 8.0)
    mitotic_beta: Pair = (2.0, 60.0)
    cycle: float = 0.5
    exclusive: bool = False
    second: float = 0.0
    dominant: Pair = (0.5, 0.5)
    balance: float = 3.0
    concentration: float = 6.0
    cell_spread: float = 0.4
    protein_spread: float = 0.5
    unstained: float = 0.03
    out_of_focus: float = 0.1
    faint: float = 0.1
    unspecific: float = 0.5
    miss: Pair = (0.04, 0.10)
    miss_spindle: float = 0.75
    false_adds: float = 0.03
    majority: float = 0.5
    images: tuple[float, ...] = (0.3, 0.35, 0.15, 0.1, 0.05, 0.05)
    bits: int = 8
    photons: Pair = (20.0, 400.0)
    least_photons: float = 35.0
    read_noise: Pair = (2.0, 5.0)
    psf_um: Pair = (0.10, 0.13)
    haze: Pair = (0.0, 0.15)
    bleed: Pair = (0.0, 0.05)
    vignette: float = 0.10
    dust: float = 0.01
    saturated: float = 0.02


_DEFAULT = Severity("default")

SEVERITIES = {
    "easy": replace(
        _DEFAULT,
        name="easy",
        scv=0.05,
        concentration=8.0,
        cell_spread=0.25,
        protein_spread=0.3,
        unstained=0.01,
        out_of_focus=0.02,
        faint=0.0,
        miss=(0.01, 0.03),
        miss_spindle=0.5,
        false_adds=0.01,
        photons=(150.0, 400.0),
        haze=(0.0, 0.05),
        bleed=(0.0, 0.02),
        dust=0.0,
        saturated=0.0,
    ),
    "default": _DEFAULT,
    "hard": replace(
        _DEFAULT,
        name="hard",
        families=True,
        exclusive=True,
        scv=1.0,
        second=0.2,
        dominant=(0.45, 0.7),
        cell_spread=0.5,
        protein_spread=0.6,
        faint=0.2,
        miss=(0.03, 0.12),
        false_adds=0.05,
        majority=0.0,
        images=(0.6, 0.4),
    ),
}

# Every cell shows every label of its protein, and the annotator makes no mistake: given and true
# labels are equal, so whatever differs between a learner's two arms is the learner's own noise.
CONTROL = replace(
    _DEFAULT,
    name="control",
    full_presence=True,
    scv=0.0,
    unstained=0.0,
    faint=0.0,
    unspecific=0.0,
    miss=(0.0, 0.0),
    miss_spindle=0.0,
    false_adds=0.0,
    concentration=40.0,
)


def severity_named(name: str, *, seed: int = 0) -> Severity:
    """The severity of this name: `easy`, `default`, `hard`, `control` or `foreign`.

    Args:
        name: The name.
        seed: Which world of the family a `foreign` one is; the others are the same for all seeds.

    Raises:
        UnknownName: There is none of this name.
    """
    if name == FOREIGN:
        from cellwise.lab.synth.foreign.draw import draw_severity

        return draw_severity(seed)
    fixed = {**SEVERITIES, CONTROL.name: CONTROL}
    known = [*fixed, FOREIGN]
    if name not in fixed:
        raise UnknownName(
            f"--severity is one of {', '.join(known)}, not {name!r}.{did_you_mean(name, known)}"
        )
    return fixed[name]


def digest(severity: Severity) -> str:
    """Sha256 of the knobs, the label sets and the brightness of classes as canonical JSON.

    Two worlds of one digest differ by seed and size only.
    """
    sets = FAMILIES if severity.families else "empirical"
    content = {"knobs": asdict(severity), "sets": sets, "spread_out": sorted(SPREAD_OUT.items())}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
