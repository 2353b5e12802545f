"""Masks as run lengths: the text form of HPA 2021 submissions, one pass for all cells of a field.

A mask is read in column-major order as alternating runs, the first of zeros; the counts become the
COCO characters; these are compressed by zlib at level 9 and written as base64.

Source: the organisers' encoder of the HPA single-cell challenge (OpenImages instance masks), built
on the COCO API (Lin et al. 2014); counts and characters equal those of pycocotools.
"""

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError
from cellwise.kernels.boxes import as_labels

Counts = npt.NDArray[np.int64]
_STRIP = 32
# Seven groups of five bits hold any count of a frame below 2**31 pixels, with its sign.
_MOST_GROUPS = 7
# Numbers up to this are counted, larger ones sorted.
_COUNTED, _DIGITS = 1_000_000, 65_535
_LARGEST_TEXT = 1 << 26
TEXT_REMEDY = "Write masks as base64 of zlib of COCO run lengths."
FAULTS = {1: "a character outside '0'..'o'", 2: "a number that is cut off", 3: "a count < 0"}


@dataclass(frozen=True, slots=True)
class LabelRuns:
    """Run lengths of all cells of one label image, ordered by number.

    Args:
        ids: Cell numbers, ascending.
        offsets: `[cell + 1]`: the counts of cell k are `counts[offsets[k]:offsets[k + 1]]`.
        counts: Run lengths one cell after the other, each beginning with zeros.
        shape: Height and width of the frame.
    """

    ids: npt.NDArray[np.int64]
    offsets: Counts
    counts: Counts
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, position: int) -> Counts:
        """The counts of the cell at this position."""
        return self.counts[self.offsets[position] : self.offsets[position + 1]]


def encode_labels(labels: npt.NDArray[Any]) -> LabelRuns:
    """Run lengths of every cell in `labels[y, x]`; the frame is read once for all of them.

    Raises:
        InputError: `labels` is not a two-dimensional image of whole numbers from 0.
    """
    frame = as_labels(labels)
    height, width = frame.shape
    starts, lengths, numbers = _runs(frame)
    ids, cell = _ranked(numbers)
    order = np.argsort(cell, kind="stable")
    counts, offsets = _counts(
        starts[order], lengths[order], cell[order].astype(np.int64), len(ids), height * width
    )
    return LabelRuns(ids.astype(np.int64), offsets, counts, (height, width))


def _ranked(numbers: npt.NDArray[np.int64]) -> tuple[Counts, npt.NDArray[Any]]:
    """The numbers that occur, in rising order, and the place of each among them."""
    if not len(numbers) or numbers.max() > _COUNTED:
        return np.unique(numbers, return_inverse=True)
    ids = np.flatnonzero(np.bincount(numbers))
    place = np.zeros(ids[-1] + 1, np.int64)
    place[ids] = np.arange(len(ids))
    # Of 16 bits a stable sort is one of digits, several times as fast.
    return ids, place[numbers].astype(np.uint16 if len(ids) <= _DIGITS else np.int64)


def encode_masks(labels: npt.NDArray[Any]) -> dict[int, str]:
    """Submission text of every cell in `labels[y, x]`, by number."""
    runs = encode_labels(labels)
    letters, ends = _letters(runs.counts, runs.offsets)
    content = letters.tobytes()
    return {int(number): pack(content[ends[k] : ends[k + 1]]) for k, number in enumerate(runs.ids)}


def decode_mask(text: str, height: int, width: int) -> npt.NDArray[np.bool_]:
    """The mask `[y, x]` that a submission text stands for.

    Raises:
        InputError: The text is broken (`mask_text`), or does not fill the frame (`mask_size`).
    """
    counts = expand(unpack(text))
    if counts.sum() != height * width:
        raise InputError(
            f"a mask of {counts.sum()} pixels was given for a frame of {height} x {width}",
            code="mask_size",
            remedy="Encode masks at the original size of the image.",
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def compress(counts: Counts) -> bytes:
    """Counts as COCO characters."""
    letters, _ = _letters(np.asarray(counts, np.int64), np.array([0, len(counts)], np.int64))
    return bytes(letters.tobytes())


def expand(letters: bytes) -> Counts:
    """COCO characters as counts.

    Raises:
        InputError: A character outside the alphabet, a cut-off number, or a negative count.
    """
    counts, error = expand_letters(np.frombuffer(letters, np.uint8))
    if error:
        raise _broken(f"the run lengths hold {FAULTS[error]}")
    return np.asarray(counts)


def pack(letters: bytes) -> str:
    """COCO characters as submission text: zlib level 9, then base64."""
    return base64.b64encode(zlib.compress(letters, 9)).decode("ascii")


def unpack(text: str) -> bytes:
    """Submission text as COCO characters.

    Raises:
        InputError: It is no base64, no whole zlib stream, or unfolds to more than 64 MiB.
    """
    try:
        packed = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise _broken("it is not base64") from error
    stream = zlib.decompressobj()
    try:
        letters = stream.decompress(packed, _LARGEST_TEXT)
    except zlib.error as error:
        raise _broken(f"it does not unfold ({error})") from error
    if not stream.eof or stream.unused_data:
        raise _broken("it is cut off, too long, or has something after its end")
    return letters


def _broken(what: str) -> InputError:
    return InputError(
        f"a mask cannot be read: {what}",
        code="mask_text",
        remedy=TEXT_REMEDY,
    )


def _counts(
    starts: Counts, lengths: Counts, cell: npt.NDArray[np.int64], cells: int, total: int
) -> tuple[Counts, Counts]:
    """Join runs that continue over the end of a column, and put the gaps between them."""
    counts = np.zeros(2 * len(starts) + cells, np.int64)
    offsets = np.zeros(cells + 1, np.int64)
    _join(starts, lengths, cell, total, counts, offsets)
    return counts[: offsets[-1]], offsets


@numba.njit(cache=True, nogil=True)
def _runs(labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Runs of the frame in column-major order: start, length, number (vertical within columns).

    Strips of columns are read row by row, as the memory lies; each column keeps its own list.
    """
    height, width = labels.shape
    strip = min(_STRIP, max(width, 1))
    last, begun = np.zeros(strip, labels.dtype), np.zeros(strip, np.int64)
    found = np.zeros(strip, np.int64)
    pending = np.empty((strip, height, 3), np.int64)
    room = 1024
    runs = np.empty((room, 3), np.int64)
    count = 0
    for left in range(0, width, strip):
        columns = min(strip, width - left)
        last[:] = 0
        found[:] = 0
        for y in range(height):
            if _same(labels, y, left, columns, last):
                continue
            for k in range(columns):
                value = labels[y, left + k]
                if value == last[k]:
                    continue
                if last[k] != 0:
                    _note(pending[k], found, k, begun[k], y, np.int64(last[k]))
                last[k] = value
                begun[k] = y
        for k in range(columns):
            if last[k] != 0:
                _note(pending[k], found, k, begun[k], height, np.int64(last[k]))
            while count + found[k] > room:
                grown = np.empty((2 * room, 3), np.int64)
                grown[:count] = runs[:count]
                runs, room = grown, 2 * room
            for run in range(found[k]):
                runs[count, 0] = pending[k, run, 0] + (left + k) * height
                runs[count, 1] = pending[k, run, 1]
                runs[count, 2] = pending[k, run, 2]
                count += 1
    return runs[:count, 0].copy(), runs[:count, 1].copy(), runs[:count, 2].copy()


@numba.njit(cache=True, nogil=True)
def _same(labels, y, left, columns, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    differs = last[0] ^ last[0]
    row, first = np.uint64(y), np.uint64(left)
    for k in range(np.uint64(columns)):
        differs |= labels[row, first + k] ^ last[k]
    return differs == 0


@numba.njit(cache=True, nogil=True)
def _note(column, found, k, begin, end, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    column[found[k], 0] = begin
    column[found[k], 1] = end - begin
    column[found[k], 2] = number
    found[k] += 1


@numba.njit(cache=True, nogil=True)
def _join(starts, lengths, cell, total, counts, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    place, at, run = 0, 0, 0
    for k in range(len(offsets) - 1):
        at = 0
        while run < len(starts) and cell[run] == k:
            if starts[run] == at and at > 0:
                counts[place - 1] += lengths[run]
            else:
                counts[place] = starts[run] - at
                counts[place + 1] = lengths[run]
                place += 2
            at = starts[run] + lengths[run]
            run += 1
        if at < total:
            counts[place] = total - at
            place += 1
        offsets[k + 1] = place


@numba.njit(cache=True, nogil=True)
def _letters(counts, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """COCO characters of all cells, and where each cell's end."""
    letters = np.empty(len(counts) * _MOST_GROUPS, np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    place = 0
    for k in range(len(offsets) - 1):
        begin = offsets[k]
        for i in range(begin, offsets[k + 1]):
            value = counts[i] - counts[i - 2] if i - begin > 2 else counts[i]
            more = True
            while more:
                group = value & 31
                value >>= 5
                more = value != -1 if group & 16 else value != 0
                letters[place] = 48 + (group | 32 if more else group)
                place += 1
        ends[k + 1] = place
    return letters[:place], ends


@numba.njit(cache=True, nogil=True)
def expand_letters(letters):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Counts, and what is wrong: 0 nothing, else a key of `FAULTS`."""
    counts = np.empty(len(letters), np.int64)
    count, place = 0, 0
    while place < len(letters):
        value, groups, more = np.int64(0), 0, True
        while more:
            if place == len(letters) or groups == 12:
                return counts[:0], 2
            letter = np.int64(letters[place]) - 48
            if letter < 0 or letter > 63:
                return counts[:0], 1
            place += 1
            value |= (letter & 31) << (5 * groups)
            groups += 1
            more = letter & 32 != 0
            if not more and letter & 16:
                value |= np.int64(-1) << (5 * groups)
        if count > 2:
            value += counts[count - 2]
        if value < 0:
            return counts[:0], 3
        counts[count] = value
        count += 1
    return counts[:count], 0
