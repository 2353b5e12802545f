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
            return self._named
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

    def _named(self, text: str) -> Ids:
        """By the longest end of a path that is known here; `..` leads nowhere."""
        plain = tidy(text)
        if ".." in plain.split("/"):
            return NONE
        parts = plain.split("/")
        for first in range(len(parts)):
            end = "/".join(parts[first:])
            bare = end.rsplit(".", 1)[0] if end.endswith(IMAGE_ENDINGS) else end
            found = self.names.get(end) or self.names.get(bare)
            if found:
                return found
        return NONE

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
