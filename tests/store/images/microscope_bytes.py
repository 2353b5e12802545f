"""Files of microscopes for the tests: their real containers, and a stand-in for their readers."""

import struct
import sys
import types
from typing import ClassVar
from xml.sax.saxutils import quoteattr

import numpy as np

PIXEL = 3.25e-7


def lif(path, *images, cut=0):
    """A Leica file of arrays `[T, C, Z, Y, X]` of 8 or 16 bit, by name."""
    elements, blocks = [], []
    for number, (name, pixels) in enumerate(images):
        times, channels, depth, height, width = pixels.shape
        # In the file: X, Y, Z, channels, T, the first one fastest.
        content = np.ascontiguousarray(pixels.transpose(0, 1, 2, 3, 4)).tobytes()
        size = pixels.dtype.itemsize
        plane = height * width * size
        described = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * size}" '
            f'NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="Lut{channel}" '
            f'IsLUTInverted="0" BytesInc="{channel * depth * plane}" BitInc="0"/>'
            for channel in range(channels)
        )
        sides = (
            (1, width, size, PIXEL),
            (2, height, width * size, PIXEL),
            (3, depth, plane, 1e-6),
            (4, times, channels * depth * plane, 1.0),
        )
        dimensions = "".join(
            f'<DimensionDescription DimID="{which}" NumberOfElements="{count}" Origin="0" '
            f'Length="{step * max(count - 1, 1)}" Unit="{"s" if which == 4 else "m"}" BitInc="0" '
            f'BytesInc="{apart}"/>'
            for which, count, apart, step in sides
            if count > 1 or which < 3
        )
        block = f"MemBlock_{number}"
        elements.append(
            f'<Element Name={quoteattr(name)}><Memory Size="{len(content)}" '
            f'MemoryBlockID="{block}"/><Data><Image><ImageDescription><Channels>{described}'
            f"</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
            "</Element>"
        )
        blocks.append((block, content))
    text = (
        '<LMSDataContainerHeader Version="2"><Element Name="root"><Memory Size="0" '
        'MemoryBlockID="MemBlock_root"/><Data><Experiment/></Data>'
        f"<Children>{''.join(elements)}</Children></Element></LMSDataContainerHeader>"
    )
    written = struct.pack("<IIBI", 0x70, 2 * len(text) + 5, 0x2A, len(text))
    written += text.encode("utf-16-le")
    for block, content in blocks:
        name = block.encode("utf-16-le")
        written += struct.pack(
            "<IIBQBI", 0x70, 14 + len(name), 0x2A, len(content), 0x2A, len(block)
        )
        written += name + content
    path.write_bytes(written[: len(written) - cut])
    return path


def nd2(path, frames, *, cut=0):
    """The container of a Nikon file: chunks of pixels and the list of them at the end."""
    written, entries = b"", b""
    for number in range(frames):
        name = f"ImageDataSeq|{number}!".encode()
        entries += name + struct.pack("<QQ", len(written), 64)
        written += struct.pack("<IIQ", 0x0ABECEDA, len(name), 64) + name + bytes(64)
    mark = b"ND2 CHUNK MAP SIGNATURE 0000001!"
    entries += mark + struct.pack("<QQ", 0, 0)
    name = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    where = len(written)
    written += struct.pack("<IIQ", 0x0ABECEDA, len(name), len(entries)) + name + entries
    written += mark + struct.pack("<Q", where)
    path.write_bytes(written[: len(written) - cut])
    return path


def czi(path, planes, *, cut=0):
    """The container of a Zeiss file: a segment for each plane, by its dimensions, and the list."""
    head = bytearray(112)
    segments, entries = b"", b""
    for dimensions in planes:
        where = len(head) + len(segments)
        sides = {"X": (0, 8), "Y": (0, 4)} | {name: (at, 1) for name, at in dimensions.items()}
        entry = struct.pack("<2siqiiBB4xi", b"DV", 1, where, 0, 0, 0, 0, len(sides))
        for name, (start, length) in sides.items():
            entry += struct.pack("<4siifi", name.encode(), start, length, 0.0, length)
        entries += entry
        segments += struct.pack("<16sqq", b"ZISRAWSUBBLOCK", 64, 64) + bytes(64)
    struct.pack_into("<16sqq", head, 0, b"ZISRAWFILE", 80, 80)
    struct.pack_into("<iq", head, 80, 0, len(head) + len(segments))
    listed = struct.pack("<i124x", len(planes)) + entries
    directory = struct.pack("<16sqq", b"ZISRAWDIRECTORY", len(listed), len(listed)) + listed
    written = bytes(head) + segments + directory
    path.write_bytes(written[: len(written) - cut])
    return path


class StandIn:
    """What the readers of bioio offer and cellwise calls; scenes are set by file name.

    A scene is its axes, its pixels, its channel names and micrometres per pixel.
    """

    scenes_of: ClassVar = {}

    def __init__(self, path):
        self._scenes = self.scenes_of[path.name]
        self.scenes = tuple(f"scene {number}" for number in range(len(self._scenes)))
        self.set_scene(0)

    def set_scene(self, number):
        axes, self._pixels, self.channel_names, size = self._scenes[number]
        self._axes = axes
        self.dims = dict(zip(axes, self._pixels.shape, strict=True))
        self.dtype = self._pixels.dtype
        self.physical_pixel_sizes = types.SimpleNamespace(Z=None, Y=size, X=size)

    def get_image_data(self, order, **chosen):
        assert set(order) | set(chosen) == set(self._axes)
        left = [axis for axis in self._axes if axis not in chosen]
        taken = self._pixels[tuple(chosen.get(axis, slice(None)) for axis in self._axes)]
        return taken.transpose([left.index(axis) for axis in order])


def stand_in(monkeypatch, scenes_of, *modules):
    """Put a reader in the place of these packages of bioio."""
    reader = type("Reader", (StandIn,), {"scenes_of": scenes_of})
    for name in modules:
        module = types.ModuleType(name)
        vars(module)["Reader"] = reader
        monkeypatch.setitem(sys.modules, name, module)
