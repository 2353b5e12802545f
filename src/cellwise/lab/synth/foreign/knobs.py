"""The knobs that a foreign world has beside those of every severity."""

from dataclasses import dataclass

from cellwise.lab.synth.severity import Severity
from cellwise.lab.synth.style import USUAL, USUAL_LINES, LineRanges, Style

Tie = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ForeignSeverity(Severity):
    """A world of the family: one draw of everything that the ranges leave open.

    Args:
        seed: Of the draw.
        silent: Mean share of a labelled protein's stained cells that show none of its labels.
        silent_spread: Concentration of that share over proteins; large = alike.
        one_state: Probability that a cell which could show several labels shows one of them only:
            0 = independent labels, 1 = states that exclude each other.
        agreement: Correlation of the labels of a cell, 0..1, before one of them is chosen.
        presence: Mean share of the cells that show a label, but that each shows one at least.
        presence_spread: Concentration of that share over labels and proteins.
        empirical: Label sets have the frequencies of the challenge; else they are made up.
        extra: Mean share of four further labels beside a set's first, 0..1; made-up sets only.
        kinds: How many sets are made up.
        tilt: Exponent of the frequency of classes over their rank; 0 = alike.
        affinity: How strongly labels choose their companions; 0 = by chance.
        ties: Classes of which the first brings the second along.
        tie: Probability that it does.
        negative: Share of samples without any label.
        least_cells: The annotator sees a class in an image if this share of its cells shows it.
        lines: What the cell lines are drawn from.
        style: How everything is drawn.
    """

    seed: int = 0
    silent: float = 0.0
    silent_spread: float = 8.0
    one_state: float = 0.0
    agreement: float = 0.0
    presence: float = 0.9
    presence_spread: float = 20.0
    empirical: bool = True
    extra: float = 0.0
    kinds: int = 40
    tilt: float = 0.0
    affinity: float = 0.0
    ties: tuple[Tie, ...] = ()
    tie: float = 0.0
    negative: float = 0.0
    least_cells: float = 0.05
    lines: LineRanges = USUAL_LINES
    style: Style = USUAL
