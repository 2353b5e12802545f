"""Each cell takes the labels of its field.

Source: the plainest weak labelling, first round of the HPA 2021 systems (AiRLab, Galixir, "Raman").
"""

from cellwise.contracts.labeller import INHERITED, Bags, CellLabels, Labeller
from cellwise.errors import BadOption
from cellwise.stages.label._cells import weights


def build(border: float = 1.0, tiny: float = 1.0) -> Labeller:
    """Make the labeller.

    Args:
        border: Weight of a cell that touches the edge of the image; 0 leaves it out of training.
        tiny: Weight of a cell flagged as tiny; both factors multiply.
    """
    if border < 0 or tiny < 0:
        raise BadOption("label inherit: weights are not negative.")

    def inherit(bags: Bags) -> CellLabels:
        return CellLabels(
            bags.inherited,
            weights(bags, border=border, tiny=tiny),
            (INHERITED,) * len(bags.site),
        )

    return inherit
