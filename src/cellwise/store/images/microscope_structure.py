"""Are the planes of a microscope's file in it? Answered from its directory, without its reader.

The readers give zeros for planes that a broken-off acquisition never wrote, or for what lies behind
a cut. Layouts of the bytes: Zeiss ZISRAW (CZI) 1.2, Nikon ND2 of version 2 and 3, Leica LIF.
"""

import re
import struct
from pathlib import Path
from typing import BinaryIO

from cellwise.domain.plain_words import by_number, counted
from cellwise.errors import InputError
from cellwise.store.images.structure import truncated

_ND2_MAP = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_ND2_FRAME = b"ImageDataSeq|"
_ND2_CHUNK = 0x0ABECEDA
_LIF_MARK, _LIF_TEST = 0x70, 0x2A
# The description states its version among its first letters.
_LIF_OPENING = 200
# A part of it that has pixels: their bytes, and the name of their block.
_LIF_MEMORY = re.compile(r'<Memory Size="([1-9]\d*)" MemoryBlockID="([^"]+)"')
# Where a segment's content begins, where the entries of a directory do, and a dimension's bytes.
_CZI_HEAD, _CZI_ENTRIES, _CZI_ENTRY, _CZI_DIMENSION = 32, 128, 32, 20
_EXPORT = "Export it as OME-TIFF from the microscope's program, all planes in one file."


def planes_of(path: Path, kind: str) -> int | None:
    """How many planes are stored: each with its channels in an ND2, per channel in a CZI.

    Args:
        path: The file.
        kind: `czi`, `nd2` or `lif`.

    Returns:
        The count; None where the file lists none (LIF, ND2 of version 1).

    Raises:
        InputError: `truncated`, `planes_missing`, or `unreadable` for a file that is one part of
            several.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        if kind == "czi":
            return _czi_planes(stream, size)
        if kind == "nd2":
            return _nd2_planes(stream, size)
        _check_lif(stream, size)
        return None


def _bytes(stream: BinaryIO, offset: int, count: int, size: int) -> bytes:
    if offset < 0 or count < 0 or offset + count > size:
        raise truncated(f"it announces {offset + count} bytes and has {size}")
    stream.seek(offset)
    return stream.read(count)


def _czi_planes(stream: BinaryIO, size: int) -> int:
    head = _bytes(stream, 0, _CZI_HEAD + 80, size)
    part, directory = struct.unpack_from("<iq", head, _CZI_HEAD + 48)
    if part:
        raise InputError("The file is one part of several.", code="unreadable", remedy=_EXPORT)
    if directory <= 0:
        raise truncated("its directory was never written")
    segment = _bytes(stream, directory, _CZI_HEAD + _CZI_ENTRIES, size)
    used, count = struct.unpack_from("<qi", segment, 24)
    block = _bytes(stream, directory + _CZI_HEAD, used, size)[_CZI_ENTRIES:]
    planes, position = set(), 0
    for _ in range(count):
        where, dimensions = _czi_entry(block, position)
        position += _CZI_ENTRY + len(dimensions) * _CZI_DIMENSION
        used = struct.unpack("<q", _bytes(stream, where + 24, 8, size))[0]
        if where + _CZI_HEAD + used > size:
            raise truncated(f"it announces {where + _CZI_HEAD + used} bytes and has {size}")
        lengths = {name: (length, stored) for name, _, length, stored in dimensions}
        if all(length == stored for length, stored in map(lengths.__getitem__, "XY")):
            planes.add(tuple(sorted((n, at) for n, at, *_ in dimensions if n not in "XYM")))
    return len(planes)


def _czi_entry(block: bytes, at: int) -> tuple[int, list[tuple[str, int, int, int]]]:
    """Where a piece of image lies, and its dimensions: name, start, length, stored length."""
    if block[at : at + 2] != b"DV":
        raise ValueError("its directory is damaged")
    (where,) = struct.unpack_from("<q", block, at + 6)
    (count,) = struct.unpack_from("<i", block, at + 28)
    found = []
    for number in range(count):
        entry = at + _CZI_ENTRY + number * _CZI_DIMENSION
        name, start, length, _, stored = struct.unpack_from("<4siifi", block, entry)
        # Zero stands for "as long as it is".
        found.append((name.rstrip(b"\0").decode(), start, length, stored or length))
    return where, found


def _nd2_planes(stream: BinaryIO, size: int) -> int | None:
    if struct.unpack("<I", _bytes(stream, 0, 4, size))[0] != _ND2_CHUNK:
        return None
    tail = _bytes(stream, size - 40, 40, size)
    if not tail.startswith(_ND2_MAP):
        raise truncated("the list of its planes, at the end, is missing")
    (where,) = struct.unpack_from("<Q", tail, 32)
    _, name_bytes, data_bytes = struct.unpack("<IIQ", _bytes(stream, where, 16, size))
    entries = _bytes(stream, where + 16 + name_bytes, data_bytes, size)
    planes = position = 0
    while (mark := entries.find(b"!", position)) >= 0 and not entries.startswith(
        _ND2_MAP, position
    ):
        offset, length = struct.unpack_from("<QQ", entries, mark + 1)
        if entries.startswith(_ND2_FRAME, position):
            planes += 1
            # Some programs write the place where the length belongs.
            end = offset + (length if length != offset else 1)
            if end > size:
                raise truncated(f"it announces {end} bytes and has {size}")
        position = mark + 17
    return planes


def _check_lif(stream: BinaryIO, size: int) -> None:
    """Walk its blocks, the description and then the pixels of each image: are all of them there?"""
    (letters,) = struct.unpack_from("<I", _bytes(stream, 0, 13, size), 9)
    text = _bytes(stream, 13, 2 * letters, size).decode("utf-16-le", "replace")
    # Since version 2 lengths have 8 bytes.
    layout = "<IIBIBI" if 'Version="1"' in text[:_LIF_OPENING] else "<IIBQBI"
    position = 13 + 2 * letters
    stored: dict[str, int] = {}
    while position < size:
        stream.seek(position)
        head = stream.read(struct.calcsize(layout))
        if len(head) < struct.calcsize(layout):
            raise truncated("a block of its pixels is cut off")
        mark, _, test, held, _, letters = struct.unpack(layout, head)
        if (mark, test) != (_LIF_MARK, _LIF_TEST):
            # The reader stops here too.
            break
        name = _bytes(stream, position + len(head), 2 * letters, size).decode(
            "utf-16-le", "replace"
        )
        stored[name] = held
        position += len(head) + 2 * letters + held
        if position > size:
            raise truncated(f"it announces {position} bytes and has {size}")
    stated = {name: int(length) for length, name in _LIF_MEMORY.findall(text)}
    lost = [name for name, length in stated.items() if stored.get(name, 0) < length]
    if lost:
        raise InputError(
            f"Of {counted(len(stated), 'blocks')} of pixels that the file states, {len(lost)} "
            f"{by_number(len(lost), 'is', 'are')} not in it ({lost[0]}).",
            code="planes_missing",
            remedy=_EXPORT,
        )
