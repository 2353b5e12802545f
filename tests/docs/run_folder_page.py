"""What docs/reference/run-folder.md says, read for the tests that hold it against the program."""

import re
from pathlib import Path, PurePosixPath

TEXT = (Path(__file__).resolve().parents[2] / "docs/reference/run-folder.md").read_text("utf-8")
_FILES, _JSON, _TABLES = re.split(r"^## .*$", TEXT, flags=re.MULTILINE)[1:]
_PLACES = {
    "<step>": r"[A-Za-z0-9_-]+",
    "<site>": r"[A-Za-z0-9._~-]+",
    "<hash>": r"[0-9a-f]{8,64}",
    "<n>": r"\d+",
    # The last word of a path may be a folder.
    "<word>": r".+",
}


def _rows(section):
    return re.findall(r"^\| (`.+?`) \| (.*?) \| (.*)\|$", section, re.MULTILINE)


def _pattern(path):
    parts = re.split(r"(<\w+>)", path)
    return re.compile("".join(_PLACES.get(part) or re.escape(part) for part in parts))


def _named():
    return [path for first, *_ in _rows(_FILES) for path in re.findall(r"`([^`]+)`", first)]


def paths():
    """A pattern for each path in the table of files."""
    return [_pattern(path) for path in _named()]


def folders():
    """A pattern for each folder that such a path lies in."""
    return [_pattern(str(above)) for path in _named() for above in PurePosixPath(path).parents[:-1]]


def _sections(part):
    titles = re.split(r"^### (.+)$", part, flags=re.MULTILINE)
    return titles[0], dict(zip(titles[1::2], titles[2::2], strict=True))


def keys(file):
    """The keys that the page names for a JSON file, by the title of its section."""
    _, sections = _sections(_JSON)
    return {key for first, *_ in _rows(sections[file]) for key in re.findall(r"`(\w+)`", first)}


def tables():
    """Columns with their types, in the order of the page, by the title of the section."""
    _, sections = _sections(_TABLES)
    return {
        title: {first.strip("`"): dtype for first, dtype, _ in _rows(section)}
        for title, section in sections.items()
    }


def sorted_by():
    """The columns that each table is said to be sorted by."""
    _, sections = _sections(_TABLES)
    said = {
        title: re.search(r"sorted by ((?:`\w+`(?:, )?)+)", section)
        for title, section in sections.items()
    }
    return {title: tuple(re.findall(r"`(\w+)`", match[1])) for title, match in said.items()}


def families():
    """Patterns of the columns that may follow."""
    head, _ = _sections(_TABLES)
    named = [name for first, *_ in _rows(head) for name in re.findall(r"`([^`]+)`", first)]
    return [re.compile(re.escape(name).replace(r"\*", ".+")) for name in named]
