"""Decoded fields kept while several readers want them, so that each is decoded once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cellwise.domain.records import Field, Site

# A field, and what was changed while it was decoded, by channel.
Decoded = tuple[Field, dict[str, list[str]]]
Decode = Callable[[Site, Path], Decoded]


class _Kept:
    """The first fields that fit."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._fields: dict[tuple[str, Path], Decoded] = {}

    def give(self, decode: Decode, site: Site, root: Path) -> Decoded:
        """A field and its flags, for the receiver to change as it likes."""
        found = self._fields.get((site.id, root))
        if found is None:
            found = decode(site, root)
            if found[0].pixels.nbytes > self._left:
                return found
            self._left -= found[0].pixels.nbytes
            self._fields[site.id, root] = found
        field, flags = found
        copied = {name: list(marks) for name, marks in flags.items()}
        return replace(field, pixels=field.pixels.copy()), copied


# The sets that are open in this process; the newest one counts.
_open: list[_Kept] = []


@contextmanager
def decoded_once(most_bytes: int = 1 << 27) -> Iterator[None]:
    """Keep fields that are read within, so that who reads one again gets a copy of its pixels.

    Args:
        most_bytes: About so much is kept; fields beyond it are decoded again.
    """
    _open.append(_Kept(most_bytes))
    try:
        yield
    finally:
        _open.pop()


def kept_or(decode: Decode, site: Site, root: Path) -> Decoded:
    """The kept field, else a decoded one, which is kept where it fits."""
    return _open[-1].give(decode, site, root) if _open else decode(site, root)
