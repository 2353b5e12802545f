"""How the text in a column of a table names fields: by name or file, well, plate, or number.

Each way gives for a text the ids of all fields that it names, none where it names nothing.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from cellwise.domain.missing import is_missing
from cellwise.domain.records import Site, normalise_well
from cellwise.domain.units import TIME_SERIES
from cellwise.stages.read.listing import IMAGE_ENDINGS

Ids = frozenset[str]
NONE: Ids = frozenset()
_PLACE = re.compile(
    r"(?:(?P<plate>.+)[\s_/:-]+)??(?P<well>[A-Za-z]{1,2}[\s_-]?\d{1,3})"
    r"(?:[\s_/:-]+(?:site|field|fld|fov|s|f)?[\s_-]*(?P<site>\d{1,4}))?"
)


class Fields:
    """The fields of a folder, to be found by what a table calls them.

    Args:
        sites: All sites of the folder.
        wished: For each site id the id before forbidden characters were replaced.
        folder: Name of the folder, which may be that of its only plate.
    """

    def __init__(
        self, sites: Sequence[Site], wished: Mapping[str, str], *, folder: str = ""
    ) -> None:
        self.all: Ids = frozenset(site.id for site in sites)
        self.names = _names_of(sites, wished)
        self.plates = _by(sites, "Plate")
        self.places = {
            "well": _by(sites, "Well"),
            "site": _by(sites, "Site", number),
            "experiment": _by(sites, "Experiment", str.casefold),
            "time": _by(sites, "TimePoint", _time_number),
        }
        self._paths = _paths_of(sites)
        self._series = {site.id: site.metadata.get(TIME_SERIES, site.id) for site in sites}
        self._plate_numbers = _by(sites, "PlateNumber", number)
        self._folder = folder

    def one_field(self, ids: Ids) -> bool:
        """Whether these are one field, at one time or at several."""
        return len({self._series[site_id] for site_id in ids}) == 1

    def reader(self, level: str, values: Collection[str]) -> Callable[[str], Ids]:
        """The function from text to fields.

        Args:
            level: `name`, `place` (plate, well and site in one text), `well`, `plate`,
                `experiment` or `site`.
            values: All texts of the column: one plate, experiment or site on each side is the same
                one, whatever each side calls it.
        """
        if level == "name":
            found = self._named_by(values)
            return lambda text: found[text] if text in found else self._named(text)[0]
        if level == "place":
            return self._placed
        if level == "well":
            return lambda text: self.places["well"].get(normalise_well(text) or "", NONE)
        spelled = plate_words if level == "plate" else number
        stated = {spelled(text) for text in values if not is_missing(text)}
        known = self.plates if level == "plate" else self.places[level]
        if len(stated) == 1 and len(known) <= 1:
            return lambda text: self.all
        if level == "plate":
            same = self._same_plates(values)
            return lambda text: same.get(text, NONE)
        if level == "time":
            return lambda text: known.get(_time_number(text), NONE)
        return lambda text: known.get(number(text), NONE)

    def elsewhere(self, values: Collection[str]) -> tuple[str, str] | None:
        """A folder that paths name, and the one that their images lie in, where they differ."""
        read = self._named_by(values)
        found = (self._named(text) for text in sorted(values) if read[text])
        return next((where for _, where in found if where), None)

    def _named_by(self, values: Collection[str]) -> dict[str, Ids]:
        """The fields that names and paths mean.

        A path whose last folder is another than that of the image of its name means that image
        only where no path of the column names the folder that it is in, and none a third folder.
        """
        found = {text: self._named(text) for text in values}
        here = any(ids and not where for ids, where in found.values() if ids)
        stated: dict[str, set[str]] = defaultdict(set)
        for ids, where in found.values():
            for site_id in ids if where else ():
                stated[site_id].add(where[0] if where else "")
        return {
            text: NONE
            if where and (here or any(len(stated[site_id]) > 1 for site_id in ids))
            else ids
            for text, (ids, where) in found.items()
        }

    def _named(self, text: str) -> tuple[Ids, tuple[str, str] | None]:
        """By the longest end of a path that is known here; `..` leads nowhere.

        Returns:
            The fields; and where the path goes on with another folder than that of their files,
            its folder and theirs.
        """
        parts = tidy(text).split("/")
        if ".." in parts:
            return NONE, None
        for first in range(len(parts)):
            end = "/".join(parts[first:])
            bare = end.rsplit(".", 1)[0] if end.endswith(IMAGE_ENDINGS) else end
            found = self.names.get(end) or self.names.get(bare)
            if found:
                return found, self._apart(parts[:first], (end, bare), found)
        return NONE, None

    def _apart(
        self, before: Sequence[str], ends: tuple[str, str], found: Ids
    ) -> tuple[str, str] | None:
        folders = [
            path[: -len(end) - 1].split("/")[-1] if len(path) > len(end) else ""
            for site_id in found
            for path in self._paths[site_id]
            for end in ends
            if path == end or path.endswith(f"/{end}")
        ]
        if not before or not folders or {"", before[-1]} & set(folders):
            return None
        return before[-1], folders[0]

    def _placed(self, text: str) -> Ids:
        match = _PLACE.fullmatch(text.strip())
        if match is None or not (match["plate"] or match["site"]):
            return NONE
        found = self.places["well"].get(normalise_well(match["well"]) or "", NONE)
        if match["plate"]:
            found &= self._same_plates([match["plate"]]).get(match["plate"], NONE)
        if match["site"]:
            found &= self.places["site"].get(number(match["site"]), NONE)
        return found

    def _same_plates(self, texts: Iterable[str]) -> dict[str, Ids]:
        """Fields of the plate that each text names: equal names, else one contained in the other.

        `27801` names `Week4_27801`, and `BR0011` names `BR0011__2020-11-05`, if it is one plate
        only and nothing else names that plate.
        """
        texts = [text for text in dict.fromkeys(texts) if not is_missing(text)]
        equal = defaultdict(set)
        for plate in self.plates:
            equal[plate_words(plate)].add(plate)
        if not self.plates and self._folder:
            # A folder that holds one plate may be called as the plate.
            own = plate_words(self._folder)
            return {text: self.all for text in texts if plate_words(text) == own}
        found = {
            text: set(equal[plate_words(text)]) for text in texts if plate_words(text) in equal
        }
        if not found:
            found = {
                text: {
                    plate
                    for plate in self.plates
                    if _contains(plate_words(plate), plate_words(text))
                }
                for text in texts
            }
            named = [plate for plates in found.values() for plate in plates]
            found = {
                text: plates
                for text, plates in found.items()
                if len(plates) == 1 and named.count(next(iter(plates))) == 1
            }
        same = {
            text: frozenset().union(*(self.plates[plate] for plate in plates))
            for text, plates in found.items()
            if len(plates) == 1
        }
        if not same and self._plate_numbers:
            return {
                t: self._plate_numbers[number(t)] for t in texts if number(t) in self._plate_numbers
            }
        return same


def tidy(text: str) -> str:
    """A name or path as it is compared."""
    plain = unicodedata.normalize("NFC", text)
    return plain.strip().replace("\\", "/").removeprefix("./").casefold()


def number(text: str) -> str:
    """`3` for `003`, `s3`, `Site 3` and `3.0`; other texts in lower case."""
    plain = text.strip().casefold()
    match = re.fullmatch(
        r"(?:site|field|fld|fov|position|pos|s|f|p)?[\s_-]*0*(\d+)(?:\.0+)?", plain
    )
    return match[1] if match else plain


def _time_number(text: str) -> str:
    """`3` for `003`, `t03` and `T0003`; other texts in lower case."""
    match = re.fullmatch(r"(?:t|tp|time|timepoint|frame)?[\s_-]*0*(\d+)(?:\.0+)?", text.casefold())
    return match[1] if match else text.casefold()


def plate_words(text: str) -> tuple[str, ...]:
    """The words of a plate's name without `plate`, case, separators and leading zeros."""
    plain = re.sub(r"\.0+$", "", unicodedata.normalize("NFC", text).strip().casefold())
    words = re.findall(r"[^\W\d_]+|\d+", re.sub(r"^(plate[\s_-]*)?(p(?=[\s_-]*\d))?", "", plain))
    return tuple(word.lstrip("0") or "0" for word in words) or (plain,)


def _contains(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether one begins or ends with the words of the other."""
    if len(part) > len(whole):
        whole, part = part, whole
    return bool(part) and part in (whole[: len(part)], whole[-len(part) :])


def _by(sites: Sequence[Site], name: str, spelled: Callable[[str], str] = str) -> dict[str, Ids]:
    found: dict[str, set[str]] = defaultdict(set)
    for site in sites:
        if site.metadata.get(name):
            found[spelled(site.metadata[name])].add(site.id)
    return {text: frozenset(ids) for text, ids in found.items()}


def _paths_of(sites: Sequence[Site]) -> dict[str, set[str]]:
    """Paths of the files of each site as they are compared, with and without endings."""
    return {
        site.id: {
            tidy(text)
            for entry in site.files
            for pure in (PurePosixPath(path.split("#")[0]) for path in entry.paths)
            for text in (str(pure), str(pure.with_suffix("")))
        }
        | {tidy(site.raw_id)}
        for site in sites
    }


def _names_of(sites: Sequence[Site], wished: Mapping[str, str]) -> dict[str, Ids]:
    """Every text by which a table may call a site; an id means that site and no other."""
    names: dict[str, set[str]] = defaultdict(set)
    exact: dict[str, str] = {}
    for site in sites:
        exact.setdefault(tidy(site.id), site.id)
        texts = {site.id, wished.get(site.id, site.id), site.raw_id, site.raw_id.split("/")[-1]}
        for entry in site.files:
            for path in entry.paths:
                pure = PurePosixPath(path.split("#")[0])
                texts |= {str(pure), pure.name, pure.stem, str(pure.with_suffix(""))}
        for text in texts:
            names[tidy(text)].add(site.id)
    several = {text: frozenset(ids) for text, ids in names.items()}
    return {**several, **{text: frozenset((site_id,)) for text, site_id in exact.items()}}
