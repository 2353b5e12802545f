"""What tells the pixels of one image from those of another, however its file stores them."""

import hashlib

import numpy as np
import numpy.typing as npt


def plane_digest(plane: npt.NDArray[np.float32]) -> str:
    """SHA-256 of a decoded channel `[y, x]`: of its number type, its shape and its pixels.

    The shape too: an image and its transpose may hold the same bytes.
    """
    head = f"{plane.dtype.str}{plane.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(plane).tobytes()).hexdigest()
