"""The batch taken out of vectors of wells: centred by plate or controls, spherized, aligned.

Sources: spherizing (ZCA whitening) on controls as in pycytominer; typical variation normalisation
of Ando et al. 2017 (bioRxiv 161422): principal components of control wells brought to unit
variance, then the covariance of each batch's controls to the common one (CORAL, Sun et al. 2016).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def centred(vectors: Floats, group: Numbers, counted: Flags) -> Floats:
    """Vectors `[well, number]` less the mean of their group's wells that count.

    Wells of a group in which none counts are left as they are.
    """
    groups = int(group.max(initial=-1)) + 1
    number = np.bincount(group[counted], minlength=groups)
    total = np.zeros((groups, vectors.shape[1]))
    np.add.at(total, group[counted], vectors[counted])
    return vectors - (total / np.maximum(number, 1)[:, None])[group]


def spherized(vectors: Floats, counted: Flags, *, regularise: float) -> Floats:
    """Centred vectors turned and scaled so that wells that count have unit variance everywhere."""
    return vectors @ _whitening(vectors[counted], regularise)


def aligned(vectors: Floats, batch: Numbers, counted: Flags, *, regularise: float) -> Floats:
    """Centred vectors spherized over all batches, and once more in each batch.

    A batch of fewer than two wells that count is spherized with the others only.
    """
    found = spherized(vectors, counted, regularise=regularise)
    for number in np.unique(batch):
        here = batch == number
        own = found[here & counted]
        if len(own) > 1:
            found[here] = found[here] @ _whitening(own, regularise)
    return found


def _whitening(controls: Floats, regularise: float) -> Floats:
    """`[number, number]`, symmetric: near to the vectors as they are (ZCA)."""
    centre = controls - controls.mean(axis=0)
    _, singular, axes = np.linalg.svd(centre, full_matrices=False)
    variance = singular**2 / max(len(controls) - 1, 1)
    least = regularise * variance.sum() / controls.shape[1]
    if not least > 0:
        return np.eye(controls.shape[1])
    # Directions in which controls do not vary at all have the least variance there is.
    beyond = 1 / np.sqrt(least)
    inside = 1 / np.sqrt(variance + least) - beyond
    return np.asarray(beyond * np.eye(controls.shape[1]) + (axes.T * inside) @ axes)
