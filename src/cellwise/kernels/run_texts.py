"""Run lengths of all masks of a submission row at once, each text read a single time.

A submission lists every cell once per class with the same text; the caller gives each text once.
Source: as `kernels.runs`.
"""

from collections.abc import Sequence

import numba
import numpy as np

from cellwise.errors import InputError
from cellwise.kernels.runs import FAULTS, TEXT_REMEDY, LabelRuns, expand_letters, unpack

_SIZE = 4


def decode_texts(texts: Sequence[str], *, height: int, width: int) -> LabelRuns:
    """Run lengths of submission texts, numbered 1, 2, ... in the given order.

    Unlike the cells of a label image, these masks may overlap or be empty; an empty one may be of
    another size, as the placeholder of the challenge's own sample submission is.

    Raises:
        InputError: A text is broken (`mask_text`) or does not fill the frame (`mask_size`); the
            message counts masks from 1.
    """
    pieces = []
    for place, text in enumerate(texts):
        try:
            pieces.append(unpack(text))
        except InputError as error:
            raise _at(place, error) from error
    ends = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=ends[1:])
    letters = np.frombuffer(b"".join(pieces), np.uint8)
    offsets, counts, failed, fault = _expand_all(letters, ends, height * width)
    if fault == _SIZE:
        raise InputError(
            f"mask {failed + 1} does not fill the image of {height} x {width} (height x width)",
            code="mask_size",
            remedy="Encode masks at the original size of the image.",
        )
    if fault:
        what = f"a mask cannot be read: the run lengths hold {FAULTS[fault]}"
        raise _at(int(failed), InputError(what, code="mask_text", remedy=TEXT_REMEDY))
    return LabelRuns(np.arange(1, len(texts) + 1), offsets, counts, (height, width))


def _at(place: int, error: InputError) -> InputError:
    return InputError(f"mask {place + 1}: {error.reason}", code=error.code, remedy=error.remedy)


@numba.njit(cache=True, nogil=True)
def _expand_all(letters, ends, pixels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Offsets, counts, place of the first broken mask, and what is wrong with it (0 nothing)."""
    counts = np.empty(len(letters), np.int64)
    offsets = np.zeros(len(ends), np.int64)
    for k in range(len(ends) - 1):
        own, fault = expand_letters(letters[ends[k] : ends[k + 1]])
        left = np.int64(pixels)
        for count in own:
            # Never below -1, so that absurd counts cannot wrap around.
            left = left - count if count <= left else np.int64(-1)
        # One count is a mask without a pixel, which means the same at any size.
        if fault == 0 and left != 0 and len(own) != 1:
            fault = _SIZE
        if fault:
            return offsets, counts[:0], k, fault
        offsets[k + 1] = offsets[k] + len(own)
        counts[offsets[k] : offsets[k + 1]] = own
    return offsets, counts[: offsets[-1]].copy(), 0, 0
