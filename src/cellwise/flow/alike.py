"""Fields that show the same, among those that a check has decoded."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import counted
from cellwise.kernels.fingerprints import WORDS, same_images

# Groups that are named.
_NAMED = 3


def alike_said(prints: Mapping[str, Mapping[str, npt.NDArray[np.uint64]]]) -> list[str]:
    """A sentence on fields that show the same; none where all differ.

    Args:
        prints: The fingerprint of each channel, by site and by the channel's key.
    """
    ids = sorted(site for site, own in prints.items() if own)
    keys = sorted({key for site in ids for key in prints[site]})
    if len(ids) < 2:
        return []
    words = np.zeros((len(ids), len(keys), WORDS), np.uint64)
    for row, site in enumerate(ids):
        for column, key in enumerate(keys):
            words[row, column] = prints[site].get(key, 0)
    first = same_images(words)
    members = {f: np.flatnonzero(first == f) for f in np.unique(first).tolist()}
    groups = [[ids[row] for row in rows] for rows in members.values() if len(rows) > 1]
    if not groups:
        return []
    named = "; ".join(" and ".join(group[:2]) for group in groups[:_NAMED])
    return [
        f"{counted(sum(map(len, groups)), 'fields')} show the same as another, such as {named}. "
        "Under the step 'curate' of a recipe one of each teaches, and all lie in one fold."
    ]
