"""What a made field is to show, decided before a pixel is drawn: the plan holds the truth.

The label model (`hpa_labels`) writes plans, the renderer (`field`) draws them. Both are functions
of the plan alone, so a field looks the same whoever draws it, and in whichever order.
"""

from dataclasses import dataclass

from cellwise.lab.synth.style import USUAL, Style


@dataclass(frozen=True, slots=True)
class CellLine:
    """How the cells of one line look, drawn once per line.

    Args:
        name: `line00`, `line01`...
        area: Mean area of a cell, square micrometres.
        elongation: Long over short axis, 1 is round.
        nucleus_share: Area of the nucleus over the area of the cell, 0..1.
        crowding: 0 = cells lie apart, 1 = they cover the field and touch.
        gains: Stain gain of red, green, blue and yellow; 1 is typical.
    """

    name: str
    area: float
    elongation: float
    nucleus_share: float
    crowding: float
    gains: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One cell: what it shows and what state it is in.

    Args:
        shown: Class indices with at least .1 of the green density and a signal-to-noise ratio of
            1.5: THE TRUTH. Empty for a cell that shows nothing (Negative).
        weights: Class index and share of the green density, largest first. Faint classes below the
            truth's limits may be in it: they are drawn, and they are not true.
        intensity: Green brightness, 1 = typical.
        phase: Place in the cell cycle, 0..1; a mitotic cell stands at the end.
        mitotic: Rounded, without nuclear rim, chromatin in a plate.
        unstained: The antibody did not reach the cell: nothing green is drawn and nothing is true.
        out_of_focus: Drawn blurred; the truth is unchanged.
    """

    shown: tuple[int, ...]
    weights: tuple[tuple[int, float], ...]
    intensity: float
    phase: float
    mitotic: bool = False
    unstained: bool = False
    out_of_focus: bool = False


@dataclass(frozen=True, slots=True)
class OpticsPlan:
    """Microscope and camera of one field.

    Args:
        psf_um: Gaussian sigma of red, green, blue, yellow, micrometres.
        vignette: Loss of light at the corners, 0..1.
        photons: Expected photons at a structure of intensity 1.
        read_noise: Standard deviation of the camera's noise, electrons.
        offset: What the camera reads without light, counts.
        bits: 8 or 16.
        saturation_gain: 1 = nothing clips; above it the bright end is cut.
        dust: Number of specks.
        bleed: Share of a channel that shows in its neighbours, 0..0.05.
        haze: Share of light that is spread over several micrometres.
    """

    psf_um: tuple[float, float, float, float]
    vignette: float
    photons: float
    read_noise: float
    offset: float
    bits: int
    saturation_gain: float
    dust: int
    bleed: float
    haze: float


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field of view.

    Args:
        seed: Seed of the world; the renderer draws from (seed, purpose, index) alone.
        index: Number of the field in the world.
        size: Side in pixels.
        pixel_size: Micrometres per pixel.
        line: The cell line.
        optics: Microscope and camera.
        cells: Cells whose nucleus lies well inside the field, in order of placement.
        margin_cells: A pool for cells centred outside, in order of placement; as many are used as
            the density asks for.
        style: How all of it is drawn.
    """

    seed: int
    index: int
    size: int
    pixel_size: float
    line: CellLine
    optics: OpticsPlan
    cells: tuple[CellPlan, ...]
    margin_cells: tuple[CellPlan, ...]
    style: Style = USUAL
