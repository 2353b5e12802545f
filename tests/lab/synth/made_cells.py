"""Cells and fields for the tests of the renderer."""

import numpy as np

from cellwise.lab.synth.cells import place_cells
from cellwise.lab.synth.landmarks import draw_landmarks
from cellwise.lab.synth.patterns import draw_pattern
from cellwise.lab.synth.plan import CellLine, CellPlan, FieldPlan, OpticsPlan
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.window import Window

LINE = CellLine("line00", 1000.0, 1.3, 0.22, 0.6, (1.0, 1.0, 1.0, 1.0))
# No light is lost, spread or added: what the camera sees is what was drawn.
PLAIN = OpticsPlan((0.0, 0.0, 0.0, 0.0), 0.0, 1e6, 0.0, 0.0, 16, 1.0, 0, 0.0, 0.0)
USUAL = OpticsPlan((0.12, 0.12, 0.11, 0.12), 0.1, 150.0, 3.0, 100.0, 8, 1.0, 0, 0.02, 0.05)


def windows(count=12, *, mitotic=False, pixel_size=0.32, seed=0, line=LINE):
    """Cells of one field of that many, whole."""
    size = round(100 / pixel_size)
    made = place_cells(
        size,
        pixel_size=pixel_size,
        style=line,
        count=count,
        rng=generator(seed, "test"),
        mitotic=[mitotic] * 500,
        phases=np.linspace(0, 1, count).tolist(),
    )
    return [Window(cell, pixel_size) for cell in made.placed if cell.inside]


def landmarks(count=12, **options):
    """The same with their reference structures."""
    return [
        draw_landmarks(window, rng=generator(0, "landmarks", number))
        for number, window in enumerate(windows(count, **options))
    ]


def pattern(index, made, *, number=0, look=0):
    """One class in one cell."""
    return draw_pattern(
        index, made, look=generator(look, "look"), rng=generator(number, "own", index)
    )


def plan(
    *,
    classes=(16,),
    count=5,
    size=256,
    pixel_size=0.32,
    index=0,
    optics=USUAL,
    margin=60,
    line=LINE,
    **cell,
):
    """A field whose cells all show the same."""
    share = 1 / max(len(classes), 1)
    one = CellPlan(
        shown=tuple(c for c in classes if c != 18),
        weights=tuple((c, share) for c in classes),
        **{"intensity": 1.0, "phase": 0.3, **cell},
    )
    return FieldPlan(1, index, size, pixel_size, line, optics, (one,) * count, (one,) * margin)
