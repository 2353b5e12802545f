"""Zip files: what lies in them, and what of it is refused.

A zip file is data of a stranger: names may climb out of a folder, links may point anywhere, and a
small file may hold a disk full. What is refused is refused before anything is written. Source:
PKWARE APPNOTE 6.3; the overlapping files of D. Fifield, 2019, are refused by Python's own reader.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cellwise.domain.plain_words import counted
from cellwise.errors import PreflightError
from cellwise.store.objects.source import Entry

_PIECE = 1 << 20
_PAGE = 1000
# Blank images shrink a thousandfold, but not gigabytes of them.
_MUCH, _RATIO = 1 << 30, 500
_ENCRYPTED, _UTF8 = 0x1, 0x800
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_MAC = "__MACOSX/"
_LEFT_OUT = (".DS_Store", "Thumbs.db", "desktop.ini")


class ZipSource:
    """The files of a zip file; those of its only top folder where one folder holds all of them.

    Args:
        path: The zip file.

    Raises:
        PreflightError: It is damaged or no zip file, or holds what is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            raise PreflightError(
                f"{path} is cut, damaged, or no zip file ({str(error).rstrip('.')}). Copy it again."
            ) from error
        except OSError as error:
            raise PreflightError(f"{path} cannot be read: {error.strerror or error}.") from error
        try:
            self._entries = self._checked()
        except BaseException:
            self._zip.close()
            raise

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self._path.stem.strip(". ") or "images"

    @property
    def address(self) -> str:
        """The absolute path of the file."""
        return str(self._path.absolute())

    def pages(self) -> Iterator[Sequence[Entry]]:
        """Its files, as its directory lists them."""
        for start in range(0, len(self._entries), _PAGE):
            yield self._entries[start : start + _PAGE]

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a file; its checksum is compared at the end."""
        try:
            with self._zip.open(self._infos[entry.key]) as stream:
                while piece := stream.read(_PIECE):
                    yield piece
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:
            raise PreflightError(
                f"{self._path} is damaged at {entry.name!r} ({str(error).rstrip('.')}). Copy or "
                "make it again."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _checked(self) -> list[Entry]:
        infos = [(_name(info), info) for info in self._zip.infolist() if not info.is_dir()]
        infos = [(name, info) for name, info in infos if not _left_out(name)]
        for name, info in infos:
            why = _fault(info)
            if why:
                raise PreflightError(f"{self._path}: {name!r} {why}")
        self._refuse_bombs([info for _, info in infos])
        top = _only_top([name for name, _ in infos])
        entries = [
            Entry(name.removeprefix(top), info.file_size, f"crc32:{info.CRC:08x}", str(number))
            for number, (name, info) in enumerate(infos)
        ]
        self._infos = {str(number): info for number, (_, info) in enumerate(infos)}
        return entries

    def _refuse_bombs(self, infos: Sequence[zipfile.ZipInfo]) -> None:
        total, packed = sum(i.file_size for i in infos), self._path.stat().st_size
        if total > _MUCH and total > _RATIO * packed:
            raise PreflightError(
                f"{self._path} says that {counted(len(infos), 'files')} of {total / 1e9:.1f} GB "
                f"lie in {packed / 1e6:.1f} MB, which no images do. Unpack it by hand if you trust "
                "it, and give the folder."
            )


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: some programs write UTF-8 and do not say so."""
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _left_out(name: str) -> bool:
    """Whether it is what file managers leave behind."""
    return name.startswith(_MAC) or name.rpartition("/")[2] in _LEFT_OUT


def _fault(info: zipfile.ZipInfo) -> str:
    """Why a file is refused, and what to do; empty for nothing."""
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted. Unpack it with its password, and give the folder."
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link. Pack the files themselves (zip without -y)."
    if kind not in (0, stat.S_IFREG):
        return "is no file but a device or a pipe. Pack files only."
    if info.compress_type not in _KNOWN:
        return (
            f"is packed in a way that is not read (method {info.compress_type}). Unpack it by "
            "hand, and give the folder."
        )
    return ""


def _only_top(names: Sequence[str]) -> str:
    """The folder that holds all files, with its slash; empty where there is none."""
    tops = {name.partition("/")[0] for name in names}
    top = next(iter(tops)) if len(tops) == 1 else ""
    plain = top not in ("", ".", "..") and all(name.startswith(f"{top}/") for name in names)
    return f"{top}/" if plain else ""
