"""What a layout is: it says whether it fits a folder, and which file is which channel.

A layout's part module has `build() -> Layout`. It sees a `Listing` and opens nothing but the
tables it declares; everything after that (stacks, missing channels, sizes, ids) is the same for all
layouts and lies in `_assemble.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from re import Pattern

from cellwise.domain.records import normalise_well
from cellwise.stages.read._listing import Listing, Problem

SINGLE = "image"
# Folders of these names hold images and say nothing about them.
_PLAIN_FOLDERS = {"images", "image", "img", "imgs", "input", "raw", "tif", "tiff", "png"}


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
        part: `train` or `test` where the folder declares it, else empty.
        metadata: Columns about the site.
    """

    site_id: str
    raw_id: str
    channel: str
    path: str
    plane: int | None = None
    z: int = 0
    part: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a layout understands a folder.

    Args:
        planes: All files that fit.
        unmatched: Images whose names do not fit.
        roles: Role of each channel where the layout knows it.
        colour: Whether grey pictures are stored as colours.
        labels: Label text by `site_id`, where the folder declares labels; empty text = unlabelled.
        metadata: Further columns by `site_id`.
        parts: `train` or `test` by `site_id`.
        classes: Name of the class list the layout stands for, or empty.
        labels_file: Where the labels come from, for people.
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


@dataclass(frozen=True, slots=True)
class Named:
    """An image whose name fits: its folders (plain ones left out) and the groups of its name."""

    path: str
    folders: tuple[str, ...]
    groups: Mapping[str, str]

    def get(self, name: str) -> str:
        """The text of a group, empty where it is absent."""
        return self.groups.get(name) or ""


def match_names(
    listing: Listing, expression: Pattern[str], *, endings: tuple[str, ...] = ()
) -> tuple[list[Named], list[str]]:
    """Split images into those whose file name without ending fits the expression, and the rest."""
    named, rest = [], []
    for path in listing.images:
        pure = PurePosixPath(path)
        match = expression.fullmatch(pure.stem.removesuffix(".ome"))
        if match is None or (endings and pure.suffix.lower() not in endings):
            rest.append(path)
        else:
            groups = {name: text for name, text in match.groupdict().items() if text is not None}
            named.append(Named(path, meaning_folders(path), groups))
    return named, rest


def meaning_folders(path: str) -> tuple[str, ...]:
    """The folders of a path, without those that are only called `images` or the like."""
    return tuple(p for p in PurePosixPath(path).parts[:-1] if p.lower() not in _PLAIN_FOLDERS)


def share(fitting: int, listing: Listing, *, specific: float) -> float | None:
    """Confidence of a layout of names: `specific` times the share of images that fit it.

    Half of the images must fit: fewer are strays in a folder of another kind. Files that state
    several channels are not told apart by names.
    """
    headers = (listing.header(path) for path in listing.images)
    several = sum(header is not None and header.channels > 1 for header in headers)
    if 2 * several >= len(listing.images):
        return None
    part = fitting / len(listing.images)
    return specific * part if part >= 0.5 else None


def well_place(plate: str, well: str, site: str) -> tuple[str, dict[str, str]]:
    """Site id `{plate}_{well}_{site}` (absent parts left out) and the metadata columns for it.

    Wells become `A01`; where that changes the text, the raw one is kept as `RawWell`.
    """
    normal = normalise_well(well) or well
    metadata = {"Plate": plate, "Well": normal, "Site": site}
    if normal != well:
        metadata["RawWell"] = well
    known = {name: text for name, text in metadata.items() if text}
    return "_".join(text for text in (plate, normal, site) if text), known


def plain_number(text: str) -> str:
    """`3` for `003`; other texts as they are."""
    return str(int(text)) if text.isdecimal() else text


def same_spelling(planes: Iterable[Plane]) -> tuple[str, ...]:
    """The distinct channel names, ignoring case, in order of appearance."""
    return tuple({plane.channel.lower(): plane.channel for plane in planes}.values())


def one_channel_set(planes: Iterable[Plane]) -> bool:
    """Whether at least half of the sites have the same channels.

    Where they do not, the last word of a name is no channel but a number or a name of its own.
    """
    sites: dict[str, set[str]] = defaultdict(set)
    for plane in planes:
        sites[plane.site_id].add(plane.channel.lower())
    sets = Counter(frozenset(channels) for channels in sites.values())
    return bool(sets) and 2 * max(sets.values()) >= len(sites)
