"""Vectors whose numbers weigh alike."""

import numpy as np
import numpy.typing as npt


def standard_scores(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Numbers as deviations from the mean of all points, in standard deviations.

    Args:
        vectors: `[point, number]`; one that is not finite is missing, and counts as the mean.

    Returns:
        `[point, number]` without the numbers that are the same in all points.
    """
    known = np.isfinite(vectors)
    held = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, vectors, 0).sum(axis=0, dtype=np.float64) / held
    away = np.where(known, vectors - mean, 0)
    spread = np.sqrt((away * away).sum(axis=0) / held)
    used = spread > 0
    scores: npt.NDArray[np.float32] = (away[:, used] / spread[used]).astype(np.float32)
    return scores
