"""What layouts read from the names of files."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from re import Pattern

from cellwise.contracts.layout import Listing, Plane
from cellwise.domain.records import normalise_well

SINGLE = "image"


# Folders of these names hold images and say nothing about them.
_PLAIN_FOLDERS = {"images", "image", "img", "imgs", "input", "raw", "tif", "tiff", "png"}


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
