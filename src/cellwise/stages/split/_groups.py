"""Groups of sites that must stay together: connected components over several keys.

Two sites belong together when they share a value in any key; a missing value ties a site to nobody.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Values = Sequence[str | None]

# A plate number says something only within its experiment, and a well only within its plate.
_PARENTS = {
    "Metadata_Plate": ("Metadata_Experiment",),
    "Metadata_Well": ("Metadata_Experiment", "Metadata_Plate"),
}


def connect(keys: Sequence[Values], *, count: int) -> npt.NDArray[np.int64]:
    """Component number of each of `count` sites; components are numbered by first appearance."""
    edges: list[tuple[int, int]] = []
    next_node = count
    for values in keys:
        nodes: dict[str, int] = {}
        for site, value in enumerate(values):
            if value is None:
                continue
            if value not in nodes:
                nodes[value] = next_node
                next_node += 1
            edges.append((site, nodes[value]))
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    graph = coo_array(
        (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(next_node, next_node)
    )
    _, found = connected_components(graph, directed=False)
    return by_first_appearance(found[:count])


def by_first_appearance(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same partition, numbered 0, 1, ... in the order in which the groups first occur."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def qualified(columns: Mapping[str, Values], name: str) -> list[str | None]:
    """The values of a column, with the plate and experiment before a well's or plate's name."""
    parents = [columns[parent] for parent in _PARENTS.get(name, ()) if parent in columns]
    return [
        None if value is None else "/".join([*(p[row] or "" for p in parents), value])
        for row, value in enumerate(columns[name])
    ]


def group_names(groups: npt.NDArray[np.int64], key: Values, site_ids: Sequence[str]) -> list[str]:
    """A readable name per site for its group: the smallest value of the key in it.

    Values of the key lie in one group each, so names differ between groups; a group without any
    value is called `site:` and its smallest site id.
    """
    names: dict[int, str] = {}
    for known in (True, False):
        for row in np.argsort(np.array(site_ids, dtype=object), kind="stable"):
            number, value = int(groups[row]), key[int(row)]
            if known and value is not None:
                names[number] = min(names.get(number, value), value)
            elif not known and number not in names:
                names[number] = f"site:{site_ids[int(row)]}"
    return [names[int(number)] for number in groups]
