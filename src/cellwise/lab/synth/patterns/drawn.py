"""What a pattern is made of: its structure, and what of the protein lies elsewhere."""

from typing import NamedTuple

from cellwise.lab.synth.texture import Plane


class Drawn(NamedTuple):
    """Light of one class in one cell.

    Args:
        structure: What makes the class; any scale.
        elsewhere: Protein in other places, in units of the structure's brightness; 0 for none.
        brilliance: Brightness of the structure before the microscope; above 1 for points that it
            dims because they are smaller than its blur.
    """

    structure: Plane
    elsewhere: Plane | float = 0.0
    brilliance: float = 1.0
