"""What a layout is: it says whether it fits a folder, and which file is which channel.

A layout's part module has `build() -> Layout`. It sees a `Listing` and opens nothing but the
tables it declares, and a handful of images where names alone do not tell channels from fields;
everything after that (stacks, missing channels, sizes, ids) is the same for all
layouts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellwise.domain.headers import Header
from cellwise.errors import InputError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was noticed.

    Args:
        code: A short fixed word.
        path: The file or folder it is about, relative to the image folder where it lies in it.
        reason: What is wrong, in words.
        remedy: What the user can do about it.
        site_id: The site it is about, empty if none.
        set_aside: Whether an image or site is not processed because of it.
    """

    code: str
    path: str
    reason: str
    remedy: str = ""
    site_id: str = ""
    set_aside: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one folder, by paths relative to it, with forward slashes, sorted.

    Args:
        folder: The folder itself.
        images: Files with the ending of an image.
        tables: Files with the ending of a table.
        stats: Size in bytes and time of change in ns for each image.
        others: Count of all other files by ending.
        ignored: Count of files passed over, by what they lie in.
        problems: Folders and links that could not be followed.
        headers: What each image says of itself, or why it says nothing.
    """

    folder: Path
    images: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    stats: dict[str, tuple[int, int]] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    headers: dict[str, Header | InputError] = field(default_factory=dict)

    def header(self, path: str, series: int = 0) -> Header | None:
        """What the file says of one of its fields; None where it could not be read."""
        found = self.headers.get(path)
        if not isinstance(found, Header) or series == 0:
            return found if isinstance(found, Header) else None
        return found.series[series - 1] if series <= len(found.series) else None

    def table(self, *names: str) -> Path | None:
        """The table of one of these names nearest to the top of the folder, ignoring case."""
        wanted = {name.lower() for name in names}
        found = [path for path in self.tables if path.rsplit("/", 1)[-1].lower() in wanted]
        found.sort(key=lambda path: (path.count("/"), path))
        return self.folder / found[0] if found else None


@dataclass(frozen=True, slots=True)
class Plane:
    """One file (or one channel in a file) with the place it has in a site.

    Args:
        site_id: The id the site should get, before forbidden characters are replaced; planes with
            equal `part` and `site_id` belong together.
        raw_id: The id as the folder writes it.
        channel: Name of the channel.
        path: The file, relative to the folder.
        plane: Index along the file's channel axis, None where the file is one channel.
        z: Place in a stack made of several files.
        t: Number of the time point as the folder writes it, None where it names none.
        part: `train` or `test` where the folder declares it, else empty.
        metadata: Columns about the site.
        series: Which field of the file, from 0; set while sites are made.
        time: Which time point of the file, from 0, None for all; set while sites are made.
        field_id: The `site_id` of the layout where one field became several sites, else empty.
        colour: Whether a grey image is stored as a colour, where only some of a folder are.
    """

    site_id: str
    raw_id: str
    channel: str
    path: str
    plane: int | None = None
    z: int = 0
    t: int | None = None
    part: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    series: int = 0
    time: int | None = None
    field_id: str = ""
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a layout understands a folder.

    Args:
        planes: All files that fit.
        unmatched: Images whose names do not fit.
        roles: Role of each channel where the layout knows it.
        colour: Whether grey images are stored as colours.
        labels: Label text by `site_id`, where the folder declares labels; empty text = unlabelled.
        metadata: Further columns by `site_id`.
        parts: `train` or `test` by `site_id`.
        classes: Name of the class list the layout stands for, or empty.
        labels_file: Where the labels come from, for people.
        labels_hint: What to say where nobody gives other labels.
        problems: What the layout noticed, such as declared sites without images.
        notes: What a person should know.
    """

    planes: tuple[Plane, ...]
    unmatched: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    colour: bool = False
    labels: Mapping[str, str] | None = None
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    classes: str = ""
    labels_file: str = ""
    labels_hint: str = ""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to arrange images in a folder.

    Args:
        recognise: Confidence 0..1 that the folder is laid out so, None where it is not. The most
            specific layout that fits wins.
        arrange: Which file is what.
    """

    recognise: Callable[[Listing], float | None]
    arrange: Callable[[Listing], Arrangement]
