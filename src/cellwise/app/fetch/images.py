"""What counts as an image: bytes that are whole and decode as they are later read."""

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.atomic import writing
from cellwise.store.images.fields import read_header, read_hues
from cellwise.store.images.structure import kind_of

# What an ending promises.
_KINDS = {".jpg": "jpeg", ".tif": "tiff"}
_GZIP = b"\x1f\x8b"
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image on the disk: digest of the file, its bytes, and the sides in pixels."""

    sha256: str
    size: int
    height: int
    width: int


def write_image(content: bytes, path: Path) -> StoredImage:
    """Write what a server sent under its name, but only if it decodes; gzip is taken off.

    Raises:
        InputError: It is cut off, damaged, another kind of file, or a page of text.
        StorageError: The disk is full or cannot be written.
    """
    if content.startswith(_GZIP):
        content = _unpacked(content)
    if kind_of(io.BytesIO(content)) != _KINDS[path.suffix]:
        raise InputError(_instead(content, path.suffix), code="unreadable")
    with writing(path) as partial:
        partial.write_bytes(content)
        return _decoded(partial, content)


def read_image(path: Path) -> StoredImage:
    """Look at an image that is there.

    Raises:
        InputError: It is not whole.
    """
    return _decoded(path, path.read_bytes())


def _decoded(path: Path, content: bytes) -> StoredImage:
    header = read_header(path)
    entry = ChannelFile(Channel("image"), (path.name,))
    # Decodes all of it; whether its colours are of one stain is judged where a folder is read.
    read_hues(entry, path.parent)
    digest = hashlib.sha256(content).hexdigest()
    return StoredImage(digest, len(content), header.height, header.width)


def _unpacked(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            plain = stream.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"The gzip file is not whole: {error}.", code="truncated") from error
    if len(plain) > _MOST_BYTES:
        raise InputError(f"It unpacks to more than {_MOST_BYTES:,} bytes.", code="too_large")
    return plain


def _instead(content: bytes, ending: str) -> str:
    """What came in place of an image."""
    if not content:
        return "The answer is empty."
    if content.lstrip()[:1] == b"<":
        return "A page of text came in place of an image."
    return f"What came is no {_KINDS[ending].upper()} file."
