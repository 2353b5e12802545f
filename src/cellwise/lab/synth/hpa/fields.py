"""From a sample's cells to the plan of a field: the optics, the cells in view and those around.

Source: figures 7.6 of the field notes for the optics.
"""

import numpy as np

from cellwise.lab.synth.cells import count_margin
from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.hpa.labels import LabelModel, Sample
from cellwise.lab.synth.hpa.protein import Cells, Protein, draw_cells
from cellwise.lab.synth.plan import CellPlan, FieldPlan, OpticsPlan
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.severity import Severity
from cellwise.lab.synth.style import USUAL

_OFFSET = 100.0
_SATURATION = (1.8, 3.0)


def plan_field(
    model: LabelModel, sample: Sample, image: int, *, index: int, size: int, pixel_size: float
) -> FieldPlan:
    """The plan of one image of a sample.

    Args:
        model: The world.
        sample: The sample.
        image: Which of its images.
        index: Number of the field in the world.
        size: Side in pixels.
        pixel_size: Micrometres per pixel.
    """
    line = model.lines[sample.line]
    around = count_margin(size, pixel_size=pixel_size, style=line, count=sample.counts[image])
    rng = generator(model.seed, "margin", *sample.names, image)
    margin = draw_cells(sample.protein, around, model.severity, rng)
    inside = sample.image(image)
    return FieldPlan(
        seed=model.seed,
        index=index,
        size=size,
        pixel_size=pixel_size,
        line=line,
        optics=_draw_optics(
            sample.protein, model.severity, generator(model.seed, "optics", *sample.names, image)
        ),
        cells=tuple(_cell(sample.cells, n) for n in range(inside.start, inside.stop)),
        margin_cells=tuple(_cell(margin, n) for n in range(around)),
        style=model.severity.style if isinstance(model.severity, ForeignSeverity) else USUAL,
    )


def _cell(cells: Cells, number: int) -> CellPlan:
    weights = cells.weights[number]
    drawn = [int(k) for k in np.argsort(-weights, kind="stable") if weights[k] > 0]
    return CellPlan(
        shown=tuple(int(k) for k in np.flatnonzero(cells.shown[number])),
        weights=tuple((k, float(weights[k])) for k in drawn),
        intensity=float(cells.intensity[number]),
        phase=float(cells.phase[number]),
        mitotic=bool(cells.mitotic[number]),
        unstained=bool(cells.unstained[number]),
        out_of_focus=bool(cells.out_of_focus[number]),
    )


def _draw_optics(protein: Protein, severity: Severity, rng: np.random.Generator) -> OpticsPlan:
    psf = [float(s) for s in rng.uniform(*severity.psf_um, 4)]
    saturated = rng.random() < severity.saturated
    gain = rng.uniform(*_SATURATION)
    return OpticsPlan(
        psf_um=(psf[0], psf[1], psf[2], psf[3]),
        vignette=severity.vignette,
        photons=protein.photons,
        read_noise=protein.read_noise,
        offset=_OFFSET,
        bits=severity.bits,
        saturation_gain=float(gain) if saturated else 1.0,
        dust=int(rng.random() < severity.dust),
        bleed=float(rng.uniform(*severity.bleed)),
        haze=float(rng.uniform(*severity.haze)),
    )
