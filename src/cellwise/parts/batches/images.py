"""Whole fields in random order, each once per epoch.

Source: the usual shuffle.
"""

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.parts.batches._order import even_batches, generator


def build() -> Sampler:
    """Make the sampler; every item of the pool is a field."""

    def images(pool: Pool, batch: int, when: When) -> list[Positions]:
        return even_batches(generator(when).permutation(len(pool)).astype(np.int64), batch)

    return images
