"""What layouts read from the names of files."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from re import Pattern

from cellwise.contracts.layout import Listing, Plane
from cellwise.domain.records import normalise_well

SINGLE = "image"
_NEARLY_ALL = 0.8
# `A1`, `a02`, `A003`, `A-4`, `A 05`, `A_05`; a lower `f2` or `s2` is a field.
WELL = r"(?-i:[A-Z]{1,2}|[a-eg-o])(?:[- ]?0{0,2}\d{1,2}|_0[1-9]|_[12]\d)(?!\d)"


# Folders of these names hold images and say nothing about them.
_PLAIN_FOLDERS = {"images", "image", "img", "imgs", "input", "raw", "tif", "tiff", "png"}


_WELL_AND_SITE = re.compile(
    rf"(?<![^\W_])(?i:well[_ -]?)?(?P<well>{WELL})"
    r"(?:[_. -]*(?i:field|fld|site|point|position|pos|xy|s|f)?[_. -]*(?P<site>\d{1,4}))?"
    r"(?![^\W_])"
)

_ZARR_FIELD = re.compile(
    r"(?P<plate>.+)\.zarr/(?P<row>[A-Za-z]{1,2})/(?P<column>\d{1,2})/(?P<field>\d+)"
)
_WELL_AT_END = re.compile(
    r"(?:(?P<plate>.+?)_)?(?P<well>[A-Z]{1,2}-?0?\d{1,2})(?:_(?:field|site|f|s)?(?P<site>\d{1,4}))?"
)


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

    Half of the images must fit: fewer are strays in a folder of another kind. Where nearly all fit,
    the few odd names decide nothing: they are named as such. Files that state several channels are
    not told apart by names.
    """
    headers = (listing.header(path) for path in listing.images)
    several = sum(header is not None and header.channels > 1 for header in headers)
    if 2 * several >= len(listing.images):
        return None
    part = fitting / len(listing.images)
    if part >= _NEARLY_ALL:
        return specific
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


def between_last_words(path: str) -> str:
    """What stands before the last word of a file's name, such as `_`."""
    match = re.search(r"([\W_]+)[^\W_]+$", PurePosixPath(path).stem)
    return match[1] if match else "_"


def plain_number(text: str) -> str:
    """`3` for `003`; other texts as they are."""
    return str(int(text)) if text.isdecimal() else text


def spelling(channel: str) -> str:
    """A channel's name as it is compared: without case, and without separators between words."""
    return re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", "", channel.lower())


def time_number(text: str) -> int | None:
    """The number of a time point, None where the name tells none."""
    return int(text) if text else None


def same_spelling(planes: Iterable[Plane]) -> dict[str, str]:
    """The distinct channels in order of appearance: as compared, and as written last."""
    return {spelling(plane.channel): plane.channel for plane in planes}


def one_channel_set(planes: Iterable[Plane]) -> bool:
    """Whether at least half of the sites have the same channels, and few have only others.

    Where they do not, the last word of a name is no channel but a number or a name of its own.
    """
    sites: dict[str, set[str]] = defaultdict(set)
    for plane in planes:
        sites[plane.site_id].add(spelling(plane.channel))
    sets = Counter(frozenset(channels) for channels in sites.values())
    if not sets:
        return False
    usual, count = sets.most_common(1)[0]
    strange = sum(number for channels, number in sets.items() if not channels & usual)
    return 2 * count >= len(sites) and 4 * strange <= len(sites)


def place_of(folders: Sequence[str], rest: str) -> dict[str, str]:
    """Columns on the well and the site that a name without its channel holds; empty without.

    A well is one word of the name, or a whole folder; a number after it is the site.
    """
    match = _WELL_AND_SITE.search(rest)
    if match is not None and normalise_well(match["well"]) is not None:
        return well_place("", match["well"], plain_number(match["site"] or ""))[1]
    wells = [folder for folder in folders if re.fullmatch(WELL, folder) and normalise_well(folder)]
    return well_place("", wells[-1], "")[1] if wells else {}


def image_place(stem: str, folder: str = "") -> tuple[str, dict[str, str]]:
    """Site id and columns for a name that ends in a well and perhaps a site; empty without.

    What stands before the well is the plate, else `folder` is.
    """
    match = _WELL_AT_END.fullmatch(stem)
    if match is None or normalise_well(match["well"]) is None:
        return "", {}
    return well_place(match["plate"] or folder, match["well"], plain_number(match["site"] or ""))


def zarr_place(path: str) -> tuple[str, dict[str, str]]:
    """Site id and columns of a field of an OME-Zarr plate, `P.zarr/A/1/0`; empty for others."""
    match = _ZARR_FIELD.fullmatch(path)
    if match is None or normalise_well(match["row"] + match["column"]) is None:
        return "", {}
    plate = "_".join((*meaning_folders(match["plate"]), PurePosixPath(match["plate"]).name))
    return well_place(plate.removesuffix(".ome"), match["row"] + match["column"], match["field"])


def wells_for(places: Sequence[Mapping[str, str]]) -> tuple[bool, tuple[str, ...]]:
    """Whether what looks like wells in names is taken for wells, and a note where it is not.

    Nearly all names must hold one: in a few it is a chance.
    """
    count = sum("Well" in place for place in places)
    if count >= _NEARLY_ALL * len(places):
        return count > 0, ()
    note = (
        f"A word like a well stands in {count} of {len(places)} names only, so no field "
        "is taken to have one. Say how files are named: --pattern '{well}_{channel}'."
    )
    return False, (note,) if count else ()
