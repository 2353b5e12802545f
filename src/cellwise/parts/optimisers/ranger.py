"""Ranger: rectified Adam with look-ahead, with the constants it was published with.

Beta 0.95 and 0.999, eps 1e-5, slow weights every 6 steps, pulled by a half.

Source: Ranger (Wright 2019), as the RxRx1 system of Lin & Lin uses it.
"""

from cellwise.contracts.optimiser import MakeOptimiser
from cellwise.parts.optimisers import radam_lookahead

EVERY, PULL, FIRST, SECOND, LEAST = 6, 0.5, 0.95, 0.999, 1e-5


def build() -> MakeOptimiser:
    """Make the optimiser; `radam_lookahead` takes other constants."""
    return radam_lookahead.build(EVERY, PULL, FIRST, SECOND, LEAST)
