"""The 19 protein patterns of the Human Protein Atlas, each drawn on a cell's own geometry.

Source: table 7.4 of the specification, after the classes of Thul et al. 2017, Science 356.
A pattern takes the landmarks of its cell and two streams of random numbers: `look` is what all
cells of a field have in common (it starts anew for each cell), `rng` is the cell's own.
"""

from collections.abc import Callable

import numpy as np

from cellwise.lab.synth.landmarks import Landmarks
from cellwise.lab.synth.patterns import (
    boundaries,
    cytoskeleton,
    diffuse,
    mitosis,
    nuclear,
    organelles,
)
from cellwise.lab.synth.patterns.drawn import Drawn
from cellwise.lab.synth.texture import Plane, level

Pattern = Callable[[Landmarks, np.random.Generator, np.random.Generator], Drawn]

NEGATIVE = 18
SPINDLE = 11
AGGRESOME = 15
CLASSES = 19

_INTERPHASE: dict[int, Pattern] = {
    0: nuclear.nucleoplasm,
    1: boundaries.nuclear_membrane,
    2: nuclear.nucleoli,
    3: nuclear.fibrillar_centre,
    4: nuclear.speckles,
    5: nuclear.bodies,
    6: organelles.reticulum,
    7: organelles.golgi,
    8: cytoskeleton.intermediate_filaments,
    9: cytoskeleton.actin,
    10: cytoskeleton.microtubules,
    12: organelles.centrosome,
    13: boundaries.plasma_membrane,
    14: organelles.mitochondria,
    15: organelles.aggresome,
    16: diffuse.cytosol,
    17: organelles.vesicles,
    18: diffuse.negative,
}
_MITOSIS: dict[int, Pattern] = {
    0: mitosis.released,
    1: mitosis.reticulum,
    2: mitosis.coat,
    3: mitosis.plate_spots,
    4: mitosis.speckles,
    5: mitosis.bodies,
    6: mitosis.reticulum,
    7: mitosis.golgi,
    8: mitosis.cage,
    9: mitosis.cortex,
    10: mitosis.fibres,
    11: mitosis.spindle,
    12: mitosis.centrosomes,
    13: boundaries.plasma_membrane,
    14: mitosis.mitochondria,
    15: mitosis.aggresome,
    16: mitosis.dispersed,
    17: mitosis.vesicles,
    18: diffuse.negative,
}


def draw_pattern(
    index: int, landmarks: Landmarks, *, look: np.random.Generator, rng: np.random.Generator
) -> Plane:
    """Light of one class in one cell `[y, x]`, brightness 1 at the structure (`texture.level`).

    Negative is the exception: its diffuse light has the brightness of autofluorescence, .02 to .1.

    Args:
        index: 0..18, the order of the class list `hpa19`.
        landmarks: Of the cell, in a window that has the look of the class.
        look: What the cells of a field share; pass a fresh stream of the same name for each.
        rng: The cell's own stream.

    Raises:
        ValueError: No such class, or a spindle in a cell that does not divide.
    """
    mitotic = landmarks.spindle is not None
    table = _MITOSIS if mitotic else _INTERPHASE
    if index not in table:
        reason = "only dividing cells have one" if index == SPINDLE else "classes are 0..18"
        raise ValueError(f"Cell {landmarks.window.cell.id}: class {index} not drawn: {reason}.")
    drawn = table[index](landmarks, look, rng)
    window = landmarks.window
    structure = window.finish(drawn.structure, rng=rng)
    brightness = level(structure)
    if brightness > 0:
        structure = structure * (drawn.brilliance / brightness)
    elsewhere = np.maximum(drawn.elsewhere, 0) * window.look.elsewhere
    return np.asarray(structure + elsewhere, np.float32)
