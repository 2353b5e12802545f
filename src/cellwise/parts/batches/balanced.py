"""Items drawn with replacement so that cell types come equally often.

Source: `balance_exp` of the RxRx1 system of Lin & Lin: weight 1 / (images of the cell type).
"""

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.errors import BadOption
from cellwise.parts.batches._order import even_batches, generator

LEVELS = ("cell_type", "experiment", "plate")


def build(level: str = "cell_type") -> Sampler:
    """Make the sampler; an epoch draws as many items as there are.

    Args:
        level: What comes equally often: `cell_type`, `experiment` or `plate`.
    """
    if level not in LEVELS:
        raise BadOption(f"batch balanced: level is one of {', '.join(LEVELS)}, not {level!r}.")

    def balanced(pool: Pool, batch: int, when: When) -> list[Positions]:
        if not len(pool):
            return []
        _, number, count = np.unique(pool.place(level), return_inverse=True, return_counts=True)
        weight = 1 / count[number]
        drawn = generator(when).choice(len(pool), len(pool), p=weight / weight.sum())
        return even_batches(drawn.astype(np.int64), batch)

    return balanced
