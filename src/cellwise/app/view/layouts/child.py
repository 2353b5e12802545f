"""The process that lays cells out by UMAP, so that the server goes on answering.

Source: UMAP, McInnes, Healy and Melville 2018 (arXiv 1802.03426), by the package umap-learn.
"""

import os
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

SEED = 0
# Cells that lie alike are told from so many neighbours, and points keep this distance at least.
_NEIGHBOURS, _APART = 15, 0.1
_NICE = 10


def lay(given: str, place: str, fitted: int, told: Connection) -> None:
    """Lay out rows of numbers, and tell of it.

    So many of them as `fitted` says, drawn by a fixed seed, are laid out together; the others are
    put among those that they are most like. The same rows come out the same.

    Args:
        given: A file of numbers, `[cell, number]`.
        place: The file to write, `[cell, (x, y)]`.
        fitted: How many are laid out together.
        told: Takes `("done", "")` or `("failed", words)`.
    """
    os.nice(_NICE)
    try:
        with warnings.catch_warnings():
            # It speaks of parts that are not used here, and that a seed takes one thread.
            warnings.simplefilter("ignore")
            _lay(Path(given), Path(place), fitted)
    except MemoryError:
        told.send(("failed", "there is too little memory"))
    except Exception as error:  # noqa: BLE001  # The page says it.
        told.send(("failed", f"{type(error).__name__}: {error}"))
    else:
        told.send(("done", ""))


def _lay(given: Path, place: Path, fitted: int) -> None:
    import numpy as np
    import umap

    values = np.load(given)
    order = np.random.default_rng(SEED).permutation(len(values))
    first, rest = np.sort(order[:fitted]), np.sort(order[fitted:])
    model = umap.UMAP(
        n_neighbors=min(_NEIGHBOURS, len(first) - 1), min_dist=_APART, random_state=SEED, n_jobs=1
    )
    found = np.empty((len(values), 2), np.float32)
    found[first] = model.fit_transform(values[first])
    if len(rest):
        found[rest] = model.transform(values[rest])
    np.save(place, found)
