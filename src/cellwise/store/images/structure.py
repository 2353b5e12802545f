"""Is an image file whole? Answered from its structure, without decoding a pixel.

Decoders do not always notice a cut: tifffile drops the pages whose directories lie behind the cut
and decodes half a JPEG strip, and Pillow forgives a PNG without its end mark. So each file is
checked against what it says of itself. Layouts of the bytes: TIFF 6.0, BigTIFF, PNG (ISO
15948), RIFF.
"""

import struct
from typing import BinaryIO

from cellwise.errors import InputError

_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# Files of microscopes; a LIF has the length of its description in between.
_MICROSCOPES = {b"ZISRAWFILE": "czi", b"\xda\xce\xbe\x0a": "nd2", b"\0\0\0\x0cjP  ": "nd2"}
_TYPE_BYTES = dict(
    zip(
        (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18),
        (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 8, 8, 8),
        strict=True,
    )
)
_JPEG_TAIL = 1 << 20
_MOST_PAGES = 1_000_000
# Tags that give where the pixels lie and how many bytes they take: strips, then tiles.
_OFFSETS = {273: 279, 324: 325}
_REMEDY = "Copy the file again from its source."


def kind_of(stream: BinaryIO) -> str:
    """The kind of a file by its first bytes; its name does not count.

    Returns:
        `png`, `jpeg`, `tiff`, `webp` or `bmp`, or of a microscope `czi`, `nd2` or `lif`.

    Raises:
        InputError: `empty_file` for zero bytes, `unreadable` for any other content.
    """
    stream.seek(0)
    head = stream.read(16)
    if not head:
        raise InputError("The file has zero bytes.", code="empty_file", remedy=_REMEDY)
    if head.startswith(_PNG_MAGIC):
        return "png"
    if head.startswith(b"\xff\xd8"):
        return "jpeg"
    if head[:4] in _TIFF_MAGICS:
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM"):
        return "bmp"
    for magic, kind in _MICROSCOPES.items():
        if head.startswith(magic):
            return kind
    if head[:4] == b"\x70\0\0\0" and head[8:9] == b"\x2a":
        return "lif"
    raise InputError(
        "The file is no PNG, JPEG, TIFF, WebP or BMP image.",
        code="unreadable",
        remedy="Save it as TIFF or PNG, one grey image per channel.",
    )


def check_whole(stream: BinaryIO, kind: str) -> None:
    """Refuse a file that ends before what it announces.

    JPEG announces no length but ends with a mark that its pixels cannot hold; a cut that leaves an
    embedded preview's end mark in place is found when it is decoded.

    Raises:
        InputError: `truncated`.
    """
    size = stream.seek(0, 2)
    if kind == "png":
        _check_png(stream, size)
    elif kind == "tiff":
        _check_tiff(stream, size)
    elif kind == "jpeg":
        stream.seek(max(0, size - _JPEG_TAIL))
        if b"\xff\xd9" not in stream.read():
            raise truncated("its end mark is missing")
    elif kind == "webp":
        stream.seek(4)
        _within(struct.unpack("<I", stream.read(4))[0] + 8, size)


def truncated(detail: str) -> InputError:
    """The error for a file that ends too early."""
    return InputError(f"The file is cut short: {detail}.", code="truncated", remedy=_REMEDY)


def _within(end: int, size: int) -> None:
    if end > size:
        raise truncated(f"it announces {end} bytes and has {size}")


def _check_png(stream: BinaryIO, size: int) -> None:
    position = len(_PNG_MAGIC)
    while True:
        _within(position + 12, size)
        stream.seek(position)
        length, name = struct.unpack(">I4s", stream.read(8))
        position += 12 + length
        _within(position, size)
        if name == b"IEND":
            return


def _check_tiff(stream: BinaryIO, size: int) -> None:
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    _within(16 if big else 8, size)
    (offset,) = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < _MOST_PAGES:
        seen.add(offset)
        offset = _check_page(stream, size, offset, order=order, big=big)
    if not seen:
        raise truncated("it holds no page")


def _check_page(stream: BinaryIO, size: int, offset: int, *, order: str, big: bool) -> int:
    """Check one page directory and the pixels it points to; gives the offset of the next."""
    count_bytes, entry_bytes, word = (8, 20, "Q") if big else (2, 12, "I")
    _within(offset + count_bytes, size)
    stream.seek(offset)
    (count,) = struct.unpack(order + ("Q" if big else "H"), stream.read(count_bytes))
    end = offset + count_bytes + count * entry_bytes + struct.calcsize(word)
    _within(end, size)
    block = stream.read(end - offset - count_bytes)
    where: dict[int, tuple[int, int, int]] = {}
    for start in range(0, count * entry_bytes, entry_bytes):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", block, start)
        value_at = offset + count_bytes + start + entry_bytes - struct.calcsize(word)
        length = _TYPE_BYTES.get(kind, 0) * number
        if length > struct.calcsize(word):
            (value_at,) = struct.unpack_from(
                order + word, block, start + entry_bytes - struct.calcsize(word)
            )
            _within(value_at + length, size)
        where[tag] = (kind, number, value_at)
    for offsets, lengths in _OFFSETS.items():
        if offsets in where and lengths in where:
            starts = _numbers(stream, where[offsets], order)
            sizes = _numbers(stream, where[lengths], order)
            if 0 in starts or 0 in sizes:
                # tifffile would give zeros for what an interrupted program left out.
                raise truncated("part of its pixels was never written")
            ends = (a + b for a, b in zip(starts, sizes, strict=False))
            _within(max(ends, default=0), size)
    following: int = struct.unpack_from(order + word, block, count * entry_bytes)[0]
    return following


def _numbers(stream: BinaryIO, where: tuple[int, int, int], order: str) -> tuple[int, ...]:
    kind, number, value_at = where
    letter = {3: "H", 4: "I", 16: "Q"}.get(kind)
    if letter is None:
        return ()
    stream.seek(value_at)
    content = stream.read(number * struct.calcsize(letter))
    return struct.unpack(f"{order}{number}{letter}", content)
