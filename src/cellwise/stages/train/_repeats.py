"""Items of rare classes several times in each epoch.

Source: the last epoch of the HPA 2021 system "Raman": cells picked for the mitotic spindle and
those whose soft label of aggresome is above 0.9, ten times each.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from cellwise.errors import BadOption
from cellwise.learning.material import Material
from cellwise.registry import did_you_mean
from cellwise.store.worlds.class_lists import class_list


def repeated(
    material: Material, classes: Sequence[str], times: Mapping[str, int], *, above: float
) -> Material:
    """The same items, those of these classes as often as said, next to each other.

    Args:
        material: What is learned from.
        classes: Of its labels, in order.
        times: How often, by class.
        above: The label above which an item counts.

    Raises:
        BadOption: A class that nobody knows.
    """
    known = {*classes, *class_list("hpa19").names}
    odd = [name for name in times if name not in known]
    if odd:
        raise BadOption(
            f"train: repeat names {odd[0]!r}, which is no class."
            f"{did_you_mean(odd[0], list(classes))} There is: {', '.join(classes)}."
        )
    often = np.ones(len(material.pool), np.int64)
    for name, count in times.items():
        if name in classes:
            labelled = material.targets[:, list(classes).index(name)] > above
            often[labelled] = np.maximum(often[labelled], count)
    return material.at(np.repeat(np.arange(len(often)), often))
