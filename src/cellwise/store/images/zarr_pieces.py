"""The pieces of an array of OME-Zarr on disk: cut ones, and those that are not there.

A piece that holds nothing but the fill value need not be stored: zarr-python 3 and TensorStore
leave it out, others store it. So a piece that is not there may be black or lost, and reading gives
black in either case. What tells them apart: what the smaller copies show at its place; whether
black pieces are stored elsewhere in the array; and whether the pieces beside it are black where
they meet it, as a black area does not end by chance where a piece does.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import by_number, counted
from cellwise.errors import InputError
from cellwise.store.images.structure import truncated

__all__ = ["NO_GAPS", "Gaps", "find_gaps", "refuse_cut_pieces"]

_BLOSC_HEAD = 16
# So many of the pieces that are not there are looked at, and of the smallest that are.
_MOST, _SMALLEST = 256, 8
# Of the pixels beside a black piece so many are black.
_BLACK = 0.9
# What decoders are known to raise on damaged copies.
_DAMAGE = (ValueError, OSError, RuntimeError, LookupError, TypeError)

Place = tuple[int, ...]
Box = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Gaps:
    """The pieces of an array that are not there.

    Args:
        lost: Why something of the image is lost, a sentence; empty where nothing speaks for it.
        black: How many pieces are not there.
        pieces: How many there would be.
    """

    lost: str = ""
    black: int = 0
    pieces: int = 0


NO_GAPS = Gaps()


def find_gaps(folder: Path, array: Any, axes: str, copies: Callable[[], Sequence[Any]]) -> Gaps:
    """Look which pieces are not there, and whether they are lost or black.

    Args:
        folder: That of the array.
        array: The open array.
        axes: A letter for each of its axes.
        copies: Opens the smaller copies of it, the smallest first.

    Raises:
        InputError: `unreadable`, where the axes are not those of the array.
    """
    if len(axes) != array.ndim:
        raise InputError(
            f"The folder states the axes {axes} and holds an array of {array.ndim}.",
            code="unreadable",
            remedy="Export it as OME-TIFF.",
        )
    pieces = _Pieces(folder, array, axes)
    gone = [place for place in pieces.places() if not pieces.path(place).is_file()]
    if not gone:
        return NO_GAPS
    total, lost = math.prod(pieces.counts), _planes_without_pieces(pieces, gone)
    if lost:
        planes = total // math.prod(pieces.flat_counts)
        reason = f"Of {counted(planes, 'parts')} of the image, {lost} "
        reason += f"{by_number(lost, 'is', 'are')} not in the folder."
        return Gaps(reason, len(gone), total)
    why = _why_lost(pieces, _some(gone), frozenset(gone), copies())
    are = by_number(len(gone), "is", "are")
    what = f"Of {counted(total, 'pieces')} of the image, {len(gone)} {are} not in the folder"
    said = f"{what}, {why}." if why else ""
    return Gaps(said, len(gone), total)


def refuse_cut_pieces(folder: Path, array: Any, axes: str, chosen: Mapping[str, int]) -> None:
    """Blosc gives zeros for what lies behind a cut; each of its pieces states its length.

    Args:
        folder: That of the array.
        array: The open array.
        axes: A letter for each of its axes.
        chosen: The indices that will be decoded, along the axes that are not taken whole.

    Raises:
        InputError: `truncated`.
    """
    if not _is_blosc(array.metadata):
        return
    pieces = _Pieces(folder, array, axes)
    along = (
        (chosen[axis] // step,) if axis in chosen else range(count)
        for axis, step, count in zip(axes, pieces.steps, pieces.counts, strict=True)
    )
    for place in itertools.product(*along):
        _refuse_cut(pieces.path(place))


class _Pieces:
    """Where the pieces of an array lie: in it, and on disk."""

    def __init__(self, folder: Path, array: Any, axes: str) -> None:
        self.array = array
        self.axes = axes
        self.steps: Place = tuple(getattr(array, "shards", None) or array.chunks)
        self.counts = [math.ceil(n / step) for n, step in zip(array.shape, self.steps, strict=True)]
        self.flat_counts = [n for n, axis in zip(self.counts, axes, strict=True) if axis in "YXS"]
        self._folder = folder

    def places(self) -> Iterator[Place]:
        return itertools.product(*map(range, self.counts))

    def path(self, place: Place) -> Path:
        return self._folder / str(self.array.metadata.encode_chunk_key(place))

    def box(self, place: Place) -> Box:
        """The part of the array that a piece holds."""
        return tuple(
            slice(at * step, min((at + 1) * step, length))
            for at, step, length in zip(place, self.steps, self.array.shape, strict=True)
        )

    def is_black(self, box: Box) -> npt.NDArray[np.bool_]:
        """Which numbers of a part are those that stand for what is not stored."""
        return np.asarray(np.asarray(self.array[box]) == (self.array.fill_value or 0), bool)


def _planes_without_pieces(pieces: _Pieces, gone: Sequence[Place]) -> int:
    """How many planes have none of their pieces."""
    found: dict[Place, int] = {}
    for place in gone:
        plane = tuple(n for n, axis in zip(place, pieces.axes, strict=True) if axis not in "YXS")
        found[plane] = found.get(plane, 0) + 1
    return sum(count == math.prod(pieces.flat_counts) for count in found.values())


def _some(gone: Sequence[Place]) -> list[Place]:
    """As many as are looked at, evenly spread."""
    return [gone[n * len(gone) // min(_MOST, len(gone))] for n in range(min(_MOST, len(gone)))]


def _why_lost(
    pieces: _Pieces, gone: Sequence[Place], all_gone: frozenset[Place], copies: Sequence[Any]
) -> str:
    """What speaks for a loss; empty where these pieces may well be black."""
    unknown = []
    for place in gone:
        shown = _in_copies(pieces, pieces.box(place), copies)
        if shown:
            return "and a smaller copy shows something at their place"
        if shown is None:
            unknown.append(place)
    if not unknown:
        return ""
    if _stores_black(pieces, all_gone):
        return "while pieces without any signal are stored elsewhere in it"
    if any(_ends_in_signal(pieces, place, all_gone) for place in unknown):
        return "and the image does not fade out towards them"
    return ""


def _in_copies(pieces: _Pieces, box: Box, copies: Sequence[Any]) -> bool | None:
    """Whether a smaller copy shows something in a part; None where none can tell."""
    for copy in copies:
        inner = []
        for part, whole, length in zip(box, pieces.array.shape, copy.shape, strict=True):
            factor = whole / length
            # What was averaged over the border says nothing.
            margin = 1 if factor > 1 else 0
            first = math.ceil(part.start / factor) + margin * (part.start > 0)
            last = math.floor(part.stop / factor) - margin * (part.stop < whole)
            inner.append(slice(first, last))
        if all(part.stop > part.start for part in inner):
            try:
                return bool((np.asarray(copy[tuple(inner)]) != (copy.fill_value or 0)).any())
            except _DAMAGE:
                continue
    return None


def _stores_black(pieces: _Pieces, gone: frozenset[Place]) -> bool:
    """Whether this array was written with its black pieces; these are the smallest on disk."""
    there = [place for place in pieces.places() if place not in gone]
    there.sort(key=lambda place: pieces.path(place).stat().st_size)
    try:
        return any(pieces.is_black(pieces.box(place)).all() for place in there[:_SMALLEST])
    except _DAMAGE:
        # It is found where the image is decoded.
        return False


def _ends_in_signal(pieces: _Pieces, place: Place, gone: frozenset[Place]) -> bool:
    """Whether a piece beside this one is not black where they meet."""
    for axis in (n for n, letter in enumerate(pieces.axes) if letter in "YX"):
        for step in (-1, 1):
            beside = (*place[:axis], place[axis] + step, *place[axis + 1 :])
            if beside in gone or not 0 <= beside[axis] < pieces.counts[axis]:
                continue
            box = pieces.box(beside)
            edge = box[axis].start if step > 0 else box[axis].stop - 1
            line = (*box[:axis], slice(edge, edge + 1), *box[axis + 1 :])
            try:
                if pieces.is_black(line).mean() < _BLACK:
                    return True
            except _DAMAGE:
                continue
    return False


def _is_blosc(metadata: Any) -> bool:
    """Whether each piece is one block of Blosc and nothing behind it, as in Zarr 2 by default."""
    if getattr(getattr(metadata, "compressor", None), "codec_id", "") == "blosc":
        return True
    codecs: tuple[Any, ...] = getattr(metadata, "codecs", ())
    return bool(codecs) and type(codecs[-1]).__name__ == "BloscCodec"


def _refuse_cut(piece: Path) -> None:
    if not piece.is_file():
        return
    with piece.open("rb") as stream:
        head, size = stream.read(_BLOSC_HEAD), stream.seek(0, 2)
    if size < _BLOSC_HEAD or int.from_bytes(head[12:16], "little") != size:
        raise truncated(f"its piece {piece.name} has {size} bytes, fewer or more than it announces")
