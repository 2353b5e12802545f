"""What an image file says of itself: size, type, channels, planes, pixel size.

No pixel is decoded.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import tifffile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from cellwise.domain.headers import Header
from cellwise.errors import InputError
from cellwise.store.images.microscope_files import MAKERS, microscope_scenes
from cellwise.store.images.ome_zarr import ome_zarr_scenes
from cellwise.store.images.scenes import Scene, scenes_header
from cellwise.store.images.structure import check_whole, kind_of, truncated
from cellwise.store.images.tiff_facts import facts_of
from cellwise.store.images.tiff_images import TiffImage, contents_of

# What the decoders are known to raise on damaged files.
_DAMAGE = (
    *(ValueError, OSError, RuntimeError, LookupError, TypeError, ArithmeticError, EOFError),
    *(SyntaxError, MemoryError, AttributeError, AssertionError, struct.error, zlib.error),
)
# The plug-ins are opened by class: Image.open would refuse large fields as "decompression bombs".
_READERS: dict[str, type[ImageFile]] = {
    "png": PngImageFile,
    "jpeg": JpegImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
}
_MOST_PIXELS = 2**31
# The number of the orientation mark, in EXIF as in TIFF.
_ORIENTATION = 274
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 1, 6: 3}


def read_header(path: Path) -> Header:
    """Read what the file says of itself and check that it is whole, without decoding pixels.

    Raises:
        InputError: `not_found`, `empty_file`, `truncated`, `unreadable`, `too_large`,
            `planes_missing`, `reader_missing`.
    """
    with scenes_in(path) as scenes:
        if scenes is not None:
            header = scenes_header(scenes)
            for field in (header, *header.series):
                check_size(field.height, field.width)
            return header
    with reading(path) as stream:
        kind = kind_of(stream)
        check_whole(stream, kind)
        if kind == "png":
            return replace(_png_header(stream), turned=_turned(open_plain(stream, kind)))
        if kind == "tiff":
            with open_tiff(stream) as tiff:
                return tiff_header(tiff)
        return _plain_header(open_plain(stream, kind))


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file for decoding; whatever a decoder raises becomes an `InputError` with its code."""
    with _faults(path), path.open("rb") as stream:
        yield stream


@contextmanager
def scenes_in(path: Path) -> Iterator[tuple[Scene, ...] | None]:
    """The scenes of a microscope's file or of an OME-Zarr, to be decoded within.

    None for a file of any other kind. Errors are as those of `reading`.
    """
    with _faults(path):
        if path.is_dir():
            yield ome_zarr_scenes(path)
            return
        with path.open("rb") as stream:
            kind = kind_of(stream)
        yield microscope_scenes(path, kind) if f".{kind}" in MAKERS else None


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        error.path = error.path or str(path)
        raise
    except FileNotFoundError as error:
        reason, remedy = "The file is not there.", "Put it back, or take it out of the list."
        raise InputError(reason, code="not_found", remedy=remedy, path=str(path)) from error
    except _DAMAGE as error:
        cut = "truncated" in str(error)
        found = truncated(str(error)) if cut else _unreadable(error)
        found.path = str(path)
        raise found from error


def open_plain(stream: BinaryIO, kind: str) -> ImageFile:
    """Open a PNG, JPEG, WebP or BMP with Pillow; pixels are decoded by the caller.

    Raises:
        InputError: `too_large` above 2**31 pixels, `animation` for several images in turn.
    """
    stream.seek(0)
    image = _READERS[kind](stream)
    check_size(image.height, image.width)
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1:
        raise InputError(
            f"The file is an animation of {frames} images, of which one could be read.",
            code="animation",
            remedy="Save each as a grey TIFF or PNG of its own.",
        )
    return image


def check_size(height: int, width: int) -> None:
    """Refuse an image that announces more pixels than any field has (a decompression bomb)."""
    if height * width > _MOST_PIXELS or height < 1 or width < 1:
        raise InputError(
            f"The image announces {height} x {width} pixels.",
            code="too_large" if height * width > 0 else "unreadable",
            remedy="Cut it into fields of at most 46,000 x 46,000 pixels.",
        )


@contextmanager
def open_tiff(stream: BinaryIO) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF by itself: the other files of a multi-file OME set are not opened."""
    stream.seek(0)
    with tifffile.TiffFile(stream, _multifile=False) as tiff:
        yield tiff


def tiff_header(tiff: tifffile.TiffFile) -> Header:
    """The header of an open TIFF: of its first field, with those of further ones in `series`."""
    contents = contents_of(tiff)
    first, *further = [_image_header(tiff, image) for image in contents.fields]
    return replace(first, series=tuple(further), left=contents.left, odd=contents.odd)


def _image_header(tiff: tifffile.TiffFile, image: TiffImage) -> Header:
    lengths = image.lengths
    check_size(*image.size)
    facts = facts_of(tiff, image)
    tag = image.pages[0].keyframe.tags.get("Orientation")
    stated = {"Y", "X", "C", "S", "Z", "T"}
    return Header(
        height=lengths["Y"],
        width=lengths["X"],
        dtype=image.dtype,
        channels=lengths.get("C", 1),
        axes=image.axes,
        shape=image.shape,
        channel_names=facts.names if len(facts.names) == lengths.get("C", 1) else (),
        pixel_size=facts.across,
        pixel_height=facts.down,
        z=lengths.get("Z", 1),
        t=lengths.get("T", 1),
        pages=math.prod(n for axis, n in lengths.items() if axis not in stated),
        colour=image.colour,
        turned=int(tag.value) if tag is not None else 1,
        transparent=image.spare > 0,
    )


def _png_header(stream: BinaryIO) -> Header:
    stream.seek(16)
    width, height, depth, colour = struct.unpack(">IIBB", stream.read(10))
    check_size(height, width)
    samples = _PNG_CHANNELS.get(colour, 1)
    return Header(
        height=height,
        width=width,
        dtype="uint16" if depth == 16 else "uint8",
        axes="YXS" if samples > 1 else "YX",
        shape=(height, width, samples) if samples > 1 else (height, width),
        colour=colour in (2, 3, 6),
        transparent=colour in (4, 6),
    )


def _turned(image: ImageFile) -> int:
    """The EXIF mark of how the image asks to be shown; 1 is as stored."""
    found = image.getexif().get(_ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def _plain_header(image: ImageFile) -> Header:
    grey = image.mode in ("L", "1")
    shape = (image.height, image.width)
    return Header(
        height=image.height,
        width=image.width,
        dtype="uint8",
        axes="YX" if grey else "YXS",
        shape=shape if grey else (*shape, len(image.getbands())),
        colour=not grey,
        turned=_turned(image),
        transparent=image.mode in ("RGBA", "LA"),
    )


def _unreadable(error: BaseException) -> InputError:
    detail = str(error) or type(error).__name__
    return InputError(
        f"The file cannot be read as an image: {detail}.",
        code="unreadable",
        remedy="Open it in ImageJ; if that fails too, copy it again from its source.",
    )
