"""Turn by quarter turns and mirror: a cell has no up and no left.

Source: used by all five systems that cellwise unites.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.parts.views import VIEWS, turn


def build() -> Augment:
    """Make the augmentation; images are square, each of the eight views is equally likely."""

    def dihedral(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        chosen = np.array([rng.integers(len(VIEWS)) for rng in rngs])
        result = torch.empty_like(batch)
        for view in np.unique(chosen):
            items = torch.from_numpy(np.flatnonzero(chosen == view)).to(batch.device)
            result[items] = turn(batch[items], int(view))
        return result

    return dihedral
