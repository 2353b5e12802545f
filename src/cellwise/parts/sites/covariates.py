"""What is known of a site beside its pixels, such as its cell type, as numbers for a network.

Source: the winner of the RxRx1 challenge, whose network had the cell type, one of four, beside the
features that its last layers see.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def covariates_of(
    values: Sequence[str | None], known: Mapping[str, Any]
) -> npt.NDArray[np.float32]:
    """`[site, value]`: 1 for the value of the site, 0 else; all 0 where it is none of those known.

    Args:
        values: Of the sites, null where unknown.
        known: `values` as a model's card has them; nothing for a model that is told nothing.
    """
    names = list(known.get("values", ()))
    place = {name: number for number, name in enumerate(names)}
    found = np.zeros((len(values), len(names)), np.float32)
    for row, value in enumerate(values):
        if value in place:
            found[row, place[value]] = 1
    return found
