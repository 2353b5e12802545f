"""The intensity scale of a channel: which stored number is 0.0 and which 1.0, in all its images.

It is a fact of the channel of a folder, decided once. An image is never stretched to its own
range: brightness carries the biology. What does not fit the scale is not used.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

EIGHT_BIT, COUNTS, FLOAT = "8-bit", "counts", "float"
KINDS = (EIGHT_BIT, COUNTS, FLOAT)
# Words that a setting may say in place of a range.
BY_TYPE, ONE_BY_ONE = "type", "each"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_TEXT = re.compile(
    rf"(?:(?P<kind>{'|'.join(KINDS)})\s+)?(?:(?P<zero>{_NUMBER})\s*\.\.\s*)?(?P<one>{_NUMBER})",
    re.IGNORECASE,
)
# What floats may fill: 0..1 (wider where many pixels overshoot), 8-bit numbers, camera counts.
_OVERSHOT = (1.0, 2.0, 4.0, 8.0, 16.0)
_BYTE, _COUNT = 255.0, 65535.0
# Sums of images: brighter ones than those that were looked at still fit.
_HEADROOM = 4.0
# Numbers below this are no camera counts unless they are whole.
_UNIT = 2.0
_STRANGE = 256.0
_FILTERED = 1.05
_NOISE = 0.05


@dataclass(frozen=True, slots=True)
class Scale:
    """Stored number `zero` becomes 0.0, `one` becomes 1.0.

    Args:
        zero: Stored number of black.
        one: Stored number of full intensity, above `zero`.
        kind: What the numbers are: `8-bit`, `counts` (of a camera, in any wider integer type) or
            `float`; empty takes all.
    """

    zero: float
    one: float
    kind: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.zero) and math.isfinite(self.one) and self.one > self.zero):
            raise ValueError(f"A scale runs from one number up to another, not {self}.")
        if self.kind not in ("", *KINDS):
            raise ValueError(f"Stored numbers are one of {KINDS}, not {self.kind!r}.")

    def __str__(self) -> str:
        zero, one = (repr(v).removesuffix(".0") for v in (self.zero, self.one))
        return f"{self.kind} {zero}..{one}".strip()

    @classmethod
    def parse(cls, text: str) -> "Scale":
        """`4095`, `-32768..32767` or, as `str` writes it, `counts 0..65535`.

        Raises:
            ValueError: The text is no scale.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"A scale is written as 0..4095 or 4095, not {text!r}.")
        return cls(float(match["zero"] or 0), float(match["one"]), (match["kind"] or "").lower())

    def takes(self, dtype: str) -> bool:
        """Whether images of this numpy type hold the kind of numbers that the scale is for."""
        return not self.kind or kind_of(dtype) == self.kind

    def is_of_type(self, dtype: str) -> bool:
        """Whether this is how numbers of an 8-bit or unsigned 16-bit type are read anyway."""
        top = {"uint8": _BYTE, "uint16": _COUNT}.get(dtype)
        return self.zero == 0 and self.one == top


@dataclass(frozen=True, slots=True)
class Levels:
    """What one image holds, above the stored number that is black; shares are of finite pixels.

    Args:
        kind: What its numbers are, one of `KINDS`.
        low: Its smallest number.
        high: Its largest.
        bottom: All but a negligible share of the pixels (a thousandth) are at least this.
        top: All but a negligible share are at most this.
        top_percent: All but a hundredth are at most this.
        top_twentieth: All but a twentieth are at most this.
        below: Sum of what lies below black over the sum of what lies above it.
        whole: Whether all numbers are whole.
    """

    kind: str
    low: float
    high: float
    bottom: float
    top: float
    top_percent: float
    top_twentieth: float
    below: float
    whole: bool

    def under(self, limit: float) -> bool:
        """Whether only a negligible share exceeds `limit`: hot pixels, or the rims of a filter."""
        barely = self.top_percent <= limit and self.high <= _FILTERED * limit
        return self.top <= limit or barely

    @property
    def is_unit(self) -> bool:
        """Whether the image was brought to 0..1, and so holds no counts."""
        return self.kind == FLOAT and not self.whole and self.under(_UNIT) and self.high > 0

    def lies_below(self, width: float) -> bool:
        """Whether black is not where it should be: more than the noise of a background is below it.

        Nothing above black; or three times as much below it as above; or as much, and further than
        noise in a range of this width goes.
        """
        nothing = self.low < 0 and self.top <= 0
        far = self.below >= 0.9 and self.bottom < -_NOISE * width
        return nothing or far or self.below >= 3


def kind_of(dtype: str) -> str:
    """What numbers of a numpy type are: one of `KINDS`."""
    if dtype in ("uint8", "bool"):
        return EIGHT_BIT
    return FLOAT if dtype.startswith(("float", "complex")) else COUNTS


def scale_of_type(dtype: str) -> Scale:
    """The whole range of a number type; floats run from 0 to 1, wider integers count as 16-bit."""
    kind = kind_of(dtype)
    return Scale(0.0, {EIGHT_BIT: _BYTE, COUNTS: _COUNT, FLOAT: 1.0}[kind], kind)


def decide(kind: str, images: Sequence[Levels]) -> Scale:
    """The scale of a channel whose images hold such numbers.

    8-bit numbers are read over 255 and counts over 65535 in whatever type, so that an image has
    the same values as uint16, int16 or uint32. Sums of images beyond that: the power of two above
    four times the brightest. Floats: over 1, over 2 to 16 where many pixels overshoot 1, over 255,
    else as counts. Where some float images are of 0..1 and others of counts, most decide.

    Args:
        kind: One of `KINDS`.
        images: Levels of some images of the channel; for 8-bit numbers none is needed.
    """
    if kind == EIGHT_BIT:
        return Scale(0.0, _BYTE, kind)
    if kind == FLOAT:
        units = [image for image in images if image.is_unit]
        counts = [image for image in images if image.top_twentieth > _OVERSHOT[-1]]
        if len(units) > len(counts):
            images = [image for image in images if image.under(_OVERSHOT[-1])]
    rungs = (_COUNT,) if kind == COUNTS else (*_OVERSHOT, _BYTE, _COUNT)
    for rung in rungs:
        if all(image.under(rung) for image in images):
            return Scale(0.0, rung, kind)
    tops = sorted(image.top for image in images)
    # A few images of marks such as 1e10 must not make all others black.
    most = _STRANGE * max(tops[(len(tops) - 1) // 2], _BYTE)
    brightest = max(top for top in tops if top <= most)
    return Scale(0.0, max(2.0 ** math.ceil(math.log2(_HEADROOM * brightest)) - 1, _COUNT), kind)


def misfit(image: Levels, scale: Scale) -> str:
    """Why an image cannot be read with this scale; empty where it can."""
    width = scale.one - scale.zero
    if scale.kind and image.kind != scale.kind:
        return f"its numbers are {image.kind}, those of the channel {scale.kind}"
    if image.lies_below(width):
        low, high = plain(image.low + scale.zero), plain(image.high + scale.zero)
        if image.top <= 0:
            black = "negative" if scale.zero == 0 else f"below {plain(scale.zero)}"
            return f"all values are {black} ({low} to {high})"
        return f"half of its signal is below {plain(scale.zero)} ({low} to {high})"
    if scale.zero < 0 and image.low >= width / 2:
        # Such as unsigned counts, or signed ones without the offset of the others.
        return (
            f"none of its numbers is below {plain(image.low + scale.zero)}, "
            f"and {plain(scale.zero)} is the black of this channel"
        )
    if not image.under(width):
        return (
            f"its pixels reach {plain(image.top + scale.zero)}, "
            f"and {plain(scale.one)} becomes 1.0 in this channel"
        )
    if image.is_unit and image.kind == scale.kind and width >= _BYTE:
        return (
            f"its numbers lie in 0..{plain(image.high)}, "
            f"and {plain(scale.one)} becomes 1.0 in this channel"
        )
    return ""


def plain(number: float) -> str:
    """A number as people write it: whole ones without a point, others with four digits."""
    return f"{number:.0f}" if number == round(number) and abs(number) < 1e15 else f"{number:.4g}"
