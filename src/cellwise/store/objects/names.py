"""Names of objects as names of files: which of them no folder can hold, and why.

A store takes any text for a name, a zip file too. Names that would be files elsewhere, two of one
place or none at all are refused, on every machine alike, so that a copy is the same everywhere.
"""

import re
import unicodedata

from cellwise.errors import PreflightError

_LONGEST, _DEEPEST = 255, 64
# Controls, halves of characters, and ends of lines.
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")
_DRIVE = re.compile(r"[A-Za-z]:")
_WINDOWS = re.compile(r'[<>:"|?*]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.I)


class Names:
    """The names seen so far of one place.

    Args:
        place: Its address, for messages.
        windows: Whether the files will lie on Windows, which allows fewer names.
    """

    def __init__(self, place: str, *, windows: bool) -> None:
        self._place, self._windows = place, windows
        # How each file and folder is written, by its name regardless of case.
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def take(self, name: str) -> None:
        """Take a name in.

        Raises:
            PreflightError: It is no name of a file, or stands for the same file as another one.
        """
        why = self._fault(name)
        if why:
            raise PreflightError(
                f"{self._place}: the name {name!r} {why}. Nothing was fetched. Rename it there, or "
                "name a folder without it."
            )
        folded = _folded(name)
        other = self._files.get(folded)
        if other == name:
            raise PreflightError(
                f"{self._place} holds {name!r} twice, and only one can be meant. Remove one."
            )
        parts, folded_parts = name.split("/"), folded.split("/")
        places = [
            ("/".join(folded_parts[:depth]), "/".join(parts[:depth]))
            for depth in range(1, len(parts))
        ]
        clash = other or self._folders.get(folded)
        clash = clash or next((self._files[f] for f, _ in places if f in self._files), None)
        clash = clash or next(
            (self._folders[f] for f, n in places if self._folders.get(f, n) != n), None
        )
        if clash is not None:
            raise PreflightError(
                f"{self._place}: {name!r} and {clash!r} cannot lie in one folder: upper and lower "
                "case is the only difference, or one is a file and a folder at once. Rename "
                "one there."
            )
        self._files[folded] = name
        self._folders.update(places)

    def _fault(self, name: str) -> str:
        """What is wrong with a name; empty for nothing."""
        parts = name.split("/")
        if not name or name.startswith("/") or _DRIVE.match(name):
            return "begins at the root of a disk"
        if ".." in parts or "." in parts:
            return "leads out of its folder"
        if "" in parts:
            return "holds two slashes in a row or ends in one"
        if "\\" in name:
            return "holds a backslash, which is a folder on some machines and none on others"
        if not name.isprintable() and any(unicodedata.category(c) in _UNSHOWN for c in name):
            return "holds a character that cannot be shown"
        if any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST for part in parts):
            return f"has a part of more than {_LONGEST} bytes"
        if len(parts) > _DEEPEST:
            return f"lies in more than {_DEEPEST} folders"
        if self._windows and any(_WINDOWS.search(part) for part in parts):
            return "is none that Windows allows"
        return ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
