"""The intensity scale of one channel under way: what is decoded for it, what is refused."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median

from cellwise.contracts.layout import Listing, Problem
from cellwise.domain.intensities import (
    BY_TYPE,
    COUNTS,
    EIGHT_BIT,
    FLOAT,
    ONE_BY_ONE,
    Levels,
    Scale,
    decide,
    kind_of,
    misfit,
    plain,
    scale_of_type,
)
from cellwise.domain.plain_words import counted
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.stages.read._reading import ChannelScale
from cellwise.store.images.fields import read_pixels
from cellwise.store.images.scale import levels_of

# Images of a channel that are decoded, and the pixels they may have together.
_MOST, _MOST_OF_TYPE = 64, 8
_PIXELS, _PIXELS_OF_TYPE = 1 << 28, 1 << 25
# A camera of 12 bits fills a 16th of a 16-bit file, one of 14 bits a quarter.
_ALIKE = 3.0
# Of equally many files the wider type tells more.
_WIDTH = (COUNTS, FLOAT, EIGHT_BIT)
_WHOSE = {
    "setting": "the scale that is asked for, or that the models applied here have learned, is",
    "run": "the scale of this run is",
    "type": "its scale is",
    "sample": "its scale is",
}


@dataclass(frozen=True, slots=True)
class Image:
    """One image of the channel, and how many pixels decoding it takes."""

    site: Site
    entry: ChannelFile
    dtype: str
    pixels: int

    def problem(self, reason: str, channel: str, remedy: str) -> Problem:
        """Why its site is set aside."""
        return Problem(
            "scale_mismatch",
            self.entry.paths[0].partition("#")[0],
            f"Channel {channel!r}: {reason}.",
            remedy,
            self.site.id,
        )


class Fitting:
    """The scale of one channel under way.

    `problems` are of single images, `refusal` says why the whole channel is refused, if it is.
    """

    def __init__(
        self, listing: Listing, name: str, images: Sequence[Image], pool: ThreadPoolExecutor
    ) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.refusal = ""
        self._listing = listing
        self._name = name
        self._images = images
        self._pool = pool
        self._stored = Counter(image.dtype for image in images)
        self._text = ""
        self._source = ""
        self._levels: list[tuple[Image, Levels]] = []
        self._zero = 0.0

    def fit(self, text: str, source: str) -> None:
        """Take this scale, or decide where it is empty."""
        self._text, self._source = text, source
        if text == ONE_BY_ONE:
            self._look(self._images)
            return
        if text == BY_TYPE:
            self._look(self._images)
            self._name_depths()
            return
        if text:
            scale = Scale.parse(text)
            # A range alone says nothing of how other numbers compare: it is that of most images.
            scale = scale if scale.kind else replace(scale, kind=self._usual_kind(scale))
            self._text = str(scale)
            fitting = self._taken_by(scale)
            self._zero = scale.zero
            self._look(fitting)
        elif self._fill_their_types():
            return
        else:
            scale = self._decided()
            fitting = self._taken_by(scale)
        self._refuse_other_numbers(scale, fitting)
        if not self.refusal:
            self._refuse_misfits(scale)

    @property
    def seen(self) -> Sequence[tuple[Image, Levels]]:
        """The images that were looked at, and what they hold."""
        return self._levels

    def result(self) -> ChannelScale:
        """What was found."""
        seen = [levels for _, levels in self._levels]
        return ChannelScale(
            self._text,
            self._source,
            dict(sorted(self._stored.items())),
            low=min((one.low for one in seen), default=-self._zero) + self._zero if seen else None,
            high=max((one.high for one in seen), default=0.0) + self._zero if seen else None,
            sampled=len(seen),
        )

    def _taken_by(self, scale: Scale) -> list[Image]:
        return [one for one in self._images if scale.takes(one.dtype)]

    def _usual_kind(self, scale: Scale | None = None) -> str:
        """What most images hold, of those that this scale takes if it takes any."""
        taken = self._taken_by(scale) if scale else []
        kinds = Counter(kind_of(image.dtype) for image in taken or self._images)
        # A channel without images is read as the smallest.
        return max(_WIDTH, key=lambda word: kinds[word]) if kinds else EIGHT_BIT

    def _shares(self) -> tuple[dict[str, float], list[tuple[Image, Levels]]]:
        """How much of the range of their type 8-bit images and counts fill, and what was seen."""
        shares: dict[str, float] = {}
        seen: list[tuple[Image, Levels]] = []
        for kind in (EIGHT_BIT, COUNTS):
            self._look([one for one in self._images if kind_of(one.dtype) == kind])
            tops = [levels.top / scale_of_type(one.dtype).one for one, levels in self._levels]
            shares[kind] = median(tops) if tops else 0.0
            seen += self._levels
        return shares, seen

    def _in_two_depths(self) -> bool:
        return {kind_of(dtype) for dtype in self._stored} == {EIGHT_BIT, COUNTS}

    def _name_depths(self) -> None:
        """Say how far apart images of several number types lie that are each read over its own."""
        if len({kind_of(dtype) for dtype in self._stored}) < 2:
            return
        said = f"Channel {self._name} is stored in several bit depths ({self._counted()}); each is "
        said += "read over the whole range of its type"
        if self._in_two_depths():
            shares, self._levels = self._shares()
            filled = ", ".join(f"{kind} images {share:.1%}" for kind, share in shares.items())
            said += f", of which the brightest pixels fill: {filled}"
        self.notes.append(f"{said}.")

    def _fill_their_types(self) -> bool:
        """Whether 8-bit and 16-bit images both use their range alike: each is read over its own."""
        if not self._in_two_depths():
            return False
        shares, seen = self._shares()
        low, high = sorted(shares.values())
        if not 0 < high < _ALIKE * low:
            return False
        self._text, self._source, self._levels = BY_TYPE, "sample", seen
        self.notes.append(
            f"Channel {self._name} is stored in two bit depths ({self._counted()}) that are filled "
            "alike; each is read over the whole range of its type."
        )
        return True

    def _counted(self) -> str:
        return ", ".join(
            f"{counted(n, 'images')} {dtype}" for dtype, n in sorted(self._stored.items())
        )

    def _decided(self) -> Scale:
        kind = self._usual_kind()
        fitting = [one for one in self._images if kind_of(one.dtype) == kind]
        self._look(fitting)
        types = Counter(image.dtype for image in fitting)
        by_type = kind == EIGHT_BIT or 2 * types["uint16"] > len(fitting)
        self._source = "type" if by_type else "sample"
        scale = decide(kind, [] if by_type else [levels for _, levels in self._levels])
        self._text = str(scale)
        return scale

    def _look(self, images: Sequence[Image]) -> None:
        """Decode some of the images, evenly spread over the folder; damaged ones are left out."""
        plain_types = all(one.dtype in ("uint8", "uint16") for one in images)
        most = _MOST_OF_TYPE if plain_types else _MOST
        pixels = _PIXELS_OF_TYPE if plain_types else _PIXELS
        largest = max((one.pixels for one in images), default=1)
        count = min(len(images), max(1, min(most, pixels // largest)))
        places = [i * (len(images) - 1) // max(1, count - 1) for i in range(count)]
        some = [images[place] for place in places]
        found = self._pool.map(self._levels_of, some)
        self._levels = [(one, levels) for one, levels in zip(some, found, strict=True) if levels]

    def _levels_of(self, image: Image) -> Levels | None:
        try:
            return levels_of(read_pixels(image.entry, self._listing.folder), self._zero)
        except InputError:
            return None

    def _refuse_other_numbers(self, scale: Scale, fitting: Sequence[Image]) -> None:
        if len(fitting) == len(self._images):
            return
        stored = self._counted()
        if not fitting:
            self.refusal = f"Channel {self._name!r}: {stored}, and {_WHOSE[self._source]} {scale}."
            self._look(self._images)
            return
        usual = "/".join(sorted({image.dtype for image in fitting}))
        # Where none is more frequent the choice is ours, and people may want the other half.
        even = 2 * len(fitting) == len(self._images) and self._source != "setting"
        tie = f". Both are equally many, so {usual} was taken: see that these are right" * even
        self.notes.append(
            f"Channel {self._name} is stored in several bit depths ({stored}); images other than "
            f"{usual} are set aside, as nothing says how their brightness compares{tie}."
        )
        chosen = {id(image) for image in fitting}
        for image in self._images:
            if id(image) not in chosen:
                reason = f"stored as {image.dtype}, another bit depth than {usual} elsewhere"
                remedy = f"Export it as {usual} from the original image, or leave it out."
                self.problems.append(image.problem(reason, self._name, remedy))

    def _refuse_misfits(self, scale: Scale) -> None:
        found = [(image, misfit(levels, scale)) for image, levels in self._levels]
        wrong = [(image, reason) for image, reason in found if reason]
        if 2 * len(wrong) > len(found):
            self.refusal = (
                f"Channel {self._name!r}, {wrong[0][0].entry.paths[0]}: {wrong[0][1]}; "
                f"so {len(wrong)} of {len(found)} images that were looked at."
            )
            return
        remedy = (
            "Export it as the other images of the channel are, or say what becomes 0.0 and 1.0 in "
            f"all of them: --set read.scale.{self._name}=LOW..HIGH."
        )
        self.problems += [image.problem(reason, self._name, remedy) for image, reason in wrong]

    def proposal(self) -> str:
        """A setting that covers what was seen."""
        return f"--set read.scale.{self._name}={self._range()}"

    def _range(self) -> str:
        if not self._levels:
            return "LOW..HIGH"
        low = min(levels.low for _, levels in self._levels) + self._zero
        high = max(levels.high for _, levels in self._levels) + self._zero
        if len(self._stored) == 1 and low < 0:
            signed = {"int8": "-128..127", "int16": "-32768..32767"}.get(next(iter(self._stored)))
            if signed:
                return signed
        if low < 0:
            return f"{plain(low)}..{plain(high)}"
        kinds = {levels.kind for _, levels in self._levels}
        seen = [levels for _, levels in self._levels]
        return str(decide(min(kinds), seen)).split()[-1]
