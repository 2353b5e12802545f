"""A protein and its cells: which of its labels each cell shows, how strongly, and what is true.

Source: figures 7.5 of the field notes: labels that are ubiquitous, variable or rare; one cell-cycle
variable that all labels of a cell share; mixture weights, log-normal intensities; truth = a share
of the green density of at least .1 with a signal-to-noise ratio of at least 1.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.foreign.states import beta, draw_presence, draw_states
from cellwise.lab.synth.hpa.label_annotator import Verdict, share_of_variable
from cellwise.lab.synth.hpa.label_families import dominance
from cellwise.lab.synth.hpa.label_sets import (
    AGGRESOME,
    CLASSES,
    NEGATIVE,
    SPINDLE,
    SPREAD_OUT,
    Flags,
    Floats,
    LabelSet,
)
from cellwise.lab.synth.severity import Severity

LEAST_SHARE = 0.1
LEAST_SNR = 1.5
_THIN = np.log([SPREAD_OUT.get(label, 1.0) for label in range(CLASSES)])
_FAINT = (0.02, 0.08)


@dataclass(frozen=True, slots=True, eq=False)
class Protein:
    """What is common to all cells of a protein.

    Args:
        labels: Its classes, sorted.
        presence: Share of cells that show each label (of exclusive states: that are in it).
        preferred: Place in the cell cycle where each label shows best, 0..1.
        mitotic: Share of mitotic cells.
        brightness: Intensity against a typical protein.
        gain: Green stain gain of its cell line.
        photons: Photons at a structure of intensity 1: dim proteins are exposed longer.
        read_noise: Electrons.
        unspecific: Classes of a staining too weak to be annotated; only without labels. Without
            these, a protein without labels is drawn as the diffuse light of class Negative.
        silent: Share of its stained cells that show none of its labels.
    """

    labels: LabelSet
    presence: Floats
    preferred: Floats
    mitotic: float
    brightness: float
    gain: float
    photons: float
    read_noise: float
    unspecific: LabelSet
    silent: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of one protein, `[cell]` or `[cell, class]`.

    Args:
        shown: The truth.
        weights: Share of the green density; rows sum to 1, or to 0 where nothing is drawn.
        intensity: Green brightness, 1 = typical.
        phase: Place in the cell cycle; dividing cells stand at its end.
        mitotic: In division.
        unstained: The antibody did not reach it.
        out_of_focus: Blurred.
    """

    shown: Flags
    weights: Floats
    intensity: Floats
    phase: Floats
    mitotic: Flags
    unstained: Flags
    out_of_focus: Flags


def draw_protein(
    verdict: Verdict, severity: Severity, *, gain: float, rng: np.random.Generator
) -> Protein:
    """A protein with the labels of the verdict, in a cell line that stains with this gain."""
    labels = verdict.protein
    brightness = float(_spread(severity.protein_spread, rng, 1)[0])
    thin = float(np.exp(_THIN[list(labels)].mean())) if labels else 1.0
    low, high = np.log(severity.photons)
    photons = max(
        float(np.exp(rng.uniform(low, high))), severity.least_photons / (brightness * gain * thin)
    )
    mitotic = 0.0 if severity.full_presence else float(rng.beta(*severity.mitotic_beta))
    presence, preferred = _presence(labels, verdict.missed, severity, mitotic, rng)
    if SPINDLE in labels:
        mitotic = float(presence[labels.index(SPINDLE)])
    unspecific: LabelSet = ()
    if not labels and rng.random() < severity.unspecific:
        kinds = rng.choice(NEGATIVE, size=int(rng.integers(1, 4)), replace=False)
        unspecific = tuple(sorted(int(k) for k in kinds if k != SPINDLE))
    return Protein(
        labels,
        presence,
        preferred,
        mitotic,
        brightness,
        gain,
        photons,
        float(rng.uniform(*severity.read_noise)),
        unspecific,
        _silent(severity, rng) if labels else 0.0,
    )


def draw_cells(protein: Protein, count: int, severity: Severity, rng: np.random.Generator) -> Cells:
    """`count` cells of a protein, independent of each other."""
    phase = rng.random(count)
    mitotic = phase >= 1.0 - protein.mitotic
    unstained = rng.random(count) < severity.unstained
    if isinstance(severity, ForeignSeverity):
        own = (protein.labels, protein.presence, protein.preferred)
        present = draw_states(*own, phase, mitotic, severity, rng)
    elif severity.exclusive and len(protein.labels) > 1:
        present = _exclusive(protein, phase, severity, rng)
    else:
        present = _independent(protein, phase, severity, rng)
    if SPINDLE in protein.labels:
        present[:, protein.labels.index(SPINDLE)] = mitotic
    silent = np.zeros(count, bool)
    if protein.silent > 0:
        silent = rng.random(count) < protein.silent
    present &= ~(unstained | silent)[:, None]
    weights = np.zeros((count, CLASSES))
    weights[:, list(protein.labels)] = present * rng.gamma(
        severity.concentration, size=present.shape
    )
    # Without a label that shows, an antibody leaves the diffuse light of a negative cell.
    weights[silent & ~unstained, NEGATIVE] = 1.0
    weights = _normalised(weights)
    intensity = protein.brightness * _spread(severity.cell_spread, rng, count)
    intensity = intensity * np.exp(weights @ _THIN)
    weights, intensity = _add_weak(protein, weights, intensity, severity, rng)
    shown = _true(weights, intensity, protein)
    if severity.full_presence:
        shown = weights > 0
    blurred = rng.random(count) < severity.out_of_focus
    return Cells(shown, weights, intensity, phase, mitotic, unstained, blurred)


def snr(signal: Floats, read_noise: float) -> Floats:
    """Signal-to-noise ratio of `signal` photons under shot noise and the camera's own."""
    return np.asarray(signal / np.sqrt(signal + read_noise**2))


def _presence(
    labels: LabelSet,
    missed: LabelSet,
    severity: Severity,
    mitotic: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Share of showing cells and preferred phase, per label."""
    preferred = rng.random(len(labels))
    if severity.full_presence:
        return np.ones(len(labels)), preferred
    if isinstance(severity, ForeignSeverity):
        return draw_presence(labels, severity, mitotic, rng), preferred
    if severity.exclusive and len(labels) > 1:
        return _state_shares(labels, severity, rng), preferred
    presence = np.zeros(len(labels))
    for place, label in enumerate(labels):
        varying = share_of_variable(severity, missed=label in missed)
        beta = severity.variable_beta if rng.random() < varying else severity.ubiquitous_beta
        if label == AGGRESOME:
            beta = severity.aggresome_beta
        presence[place] = mitotic if label == SPINDLE else rng.beta(*beta)
    return presence, preferred


def _silent(severity: Severity, rng: np.random.Generator) -> float:
    """Share of silent cells of a protein; none but in a foreign world."""
    if not isinstance(severity, ForeignSeverity):
        return 0.0
    return float(beta(severity.silent, severity.silent_spread, 1, rng)[0])


def _state_shares(labels: LabelSet, severity: Severity, rng: np.random.Generator) -> Floats:
    """Shares of states that exclude each other: one dominates, never the spindle."""
    weights = np.array([dominance(label) for label in labels])
    first = int(rng.choice(len(labels), p=weights / weights.sum()))
    share = rng.uniform(*severity.dominant)
    rest = rng.dirichlet(np.full(len(labels) - 1, severity.balance))
    return np.insert(rest * (1.0 - share), first, share)


def _independent(
    protein: Protein, phase: Floats, severity: Severity, rng: np.random.Generator
) -> Flags:
    """Each label by itself; a share `cycle` of the cells obeys the cell cycle.

    Unstained cells are among those that do not show a label, not besides them.
    """
    wanted = np.minimum(protein.presence / (1.0 - severity.unstained), 1.0)
    distance = np.abs(phase[:, None] - protein.preferred)
    circular = 2.0 * np.minimum(distance, 1.0 - distance)
    shape = (phase.size, len(protein.labels))
    chance = np.where(rng.random(shape) < severity.cycle, circular, rng.random(shape))
    return np.asarray(chance < wanted)


def _exclusive(
    protein: Protein, phase: Floats, severity: Severity, rng: np.random.Generator
) -> Flags:
    """One label per cell, by its place in the cell cycle or by chance; some show the next too."""
    order = _cycle_order(protein)
    edges = np.cumsum(protein.presence[order])
    place = np.where(rng.random(phase.size) < severity.cycle, phase, rng.random(phase.size))
    if SPINDLE in protein.labels:
        dividing = phase >= 1.0 - protein.mitotic
        rest = place * (1.0 - protein.mitotic)
        place = np.where(dividing, 1.0, rest)
    state = np.minimum(np.searchsorted(edges, place, side="right"), len(order) - 1)
    rows = np.arange(phase.size)
    present = np.zeros((phase.size, len(order)), bool)
    present[rows, order[state]] = True
    second = rng.random(phase.size) < severity.second
    shift = rng.integers(1, len(order), phase.size)
    present[rows[second], order[(state + shift) % len(order)][second]] = True
    return present


def _cycle_order(protein: Protein) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """States along the cell cycle; the spindle stands at its end."""
    late = np.array([label == SPINDLE for label in protein.labels])
    return np.lexsort((protein.preferred, late))


def _add_weak(
    protein: Protein,
    weights: Floats,
    intensity: Floats,
    severity: Severity,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """What is drawn and not true: a faint further class, or a staining below the noise."""
    count = len(intensity)
    chosen = rng.random(count) < severity.faint
    share = rng.uniform(*_FAINT, count)
    kinds = rng.integers(0, SPINDLE, count)
    if protein.labels:
        rows = np.flatnonzero(chosen & (weights.sum(1) > 0))
        rows = rows[weights[rows, kinds[rows]] == 0]
        weights[rows] *= 1.0 - share[rows, None]
        weights[rows, kinds[rows]] = share[rows]
        return weights, intensity
    if not protein.unspecific:
        weights[:, NEGATIVE] = 1.0
        return weights, intensity
    weights[:, list(protein.unspecific)] = rng.gamma(2.0, size=(count, len(protein.unspecific)))
    # The signal at which the ratio reaches its limit, solved from snr().
    limit = (LEAST_SNR**2 + np.sqrt(LEAST_SNR**4 + 4 * (LEAST_SNR * protein.read_noise) ** 2)) / 2
    below = rng.uniform(0.2, 0.9, count) * limit / (protein.photons * protein.gain)
    return _normalised(weights), np.minimum(intensity, below)


def _true(weights: Floats, intensity: Floats, protein: Protein) -> Flags:
    signal = protein.photons * protein.gain * intensity[:, None] * weights[:, :NEGATIVE]
    true = np.zeros(weights.shape, bool)
    true[:, :NEGATIVE] = snr(signal, protein.read_noise) >= LEAST_SNR
    return true & (weights >= LEAST_SHARE)


def _normalised(weights: Floats) -> Floats:
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-300))


def _spread(sigma: float, rng: np.random.Generator, count: int) -> Floats:
    """Log-normal with median 1."""
    return np.exp(sigma * rng.standard_normal(count))


def images_with(shown: Flags, images: Sequence[int], *, least: float = 0.05) -> Flags:
    """Which image shows which class, `[image, class]`: in this share of its cells, and in one."""
    ends = np.cumsum(images)
    sums = np.vstack([np.zeros((1, shown.shape[1]), int), np.cumsum(shown, 0)])
    counts = sums[ends] - sums[ends - np.asarray(images)]
    return np.asarray(counts >= np.maximum(1, np.floor(least * np.asarray(images)))[:, None])
