"""What every place of images but a folder is asked: to list its files, and to give one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as its place lists it.

    Args:
        name: Path below the folder that was asked for, with slashes.
        size: Bytes.
        tag: Tells its content from any other of this name: the ETag of an object without quotes,
            a checksum.
        key: The whole name by which the place is asked for it.
        version: What the place is told so that it gives this content and no other.
    """

    name: str
    size: int
    tag: str
    key: str
    version: str = ""


class Other(Exception):
    """A file is no more what was listed: replaced or removed meanwhile."""


class Damaged(Exception):
    """A file came, and is not what its checksum says."""


class Source(Protocol):
    """A bucket's folder or a zip file."""

    @property
    def name(self) -> str:
        """What a folder of its files is called."""

    @property
    def address(self) -> str:
        """By which it is named in records; holds no secret."""

    def pages(self) -> Iterator[Sequence[Entry]]:
        """The files, some at a time.

        Raises:
            PreflightError: It cannot be listed; says why and what to do.
        """

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a file in pieces; called by many threads at once.

        Raises:
            Other: It is another file by now, or gone.
            Damaged: Its checksum is another one.
            Interrupted: It cannot be had, after some tries.
            PreflightError: It can never be had like this.
        """

    def close(self) -> None:
        """Let connections and files go."""


@dataclass(frozen=True, slots=True)
class OneFile:
    """A source of one of another source's files.

    Args:
        source: The other one.
        entry: The file, as it lists it.
    """

    source: Source
    entry: Entry

    @property
    def name(self) -> str:
        """The folder of the file."""
        return "file"

    @property
    def address(self) -> str:
        """That of the source."""
        return self.source.address

    def pages(self) -> Iterator[Sequence[Entry]]:
        """The file."""
        yield [self.entry]

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Its bytes."""
        return self.source.content(entry)

    def close(self) -> None:
        """Close the source."""
        self.source.close()
