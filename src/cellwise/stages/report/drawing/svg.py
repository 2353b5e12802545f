"""Drawing in SVG: scales, ticks and escaped marks, in the page's own colours.

Colours: Okabe and Ito 2008 (distinguishable with every common form of colour blindness) for groups,
a single light-to-dark ramp for amounts, so that a black and white print still reads.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, GREY = "#56B4E9", "#CC79A7", "#8a8f98"
# That of the words of the page, which differs in the dark.
INK = "var(--ink)"
GROUPS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)
_RAMP = ((244, 247, 246), (186, 224, 214), (100, 182, 192), (48, 124, 168), (38, 70, 118))


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values `low..high` to pixels `start..end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside are drawn at the edge."""
        span = (self.high - self.low) or 1.0
        share = min(1.0, max(0.0, (value - self.low) / span))
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers within `low..high`, roughly `about` of them."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    rough = span / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def tick_words(values: Sequence[float]) -> list[str]:
    """The ticks of one axis, all with the same number of decimals."""
    decimals = next((d for d in range(5) if all(abs(v - round(v, d)) < 1e-9 for v in values)), 5)
    return [f"{value:,.{decimals}f}".replace("-", "−") for value in values]


STEPS = 16
"""Shades of amounts that are told apart."""


def shade(share: float) -> str:
    """The ramp's colour for a share of 0..1, light to dark."""
    place = min(1.0, max(0.0, share)) * (len(_RAMP) - 1)
    left = min(int(place), len(_RAMP) - 2)
    rest = place - left
    mixed = (round(a + rest * (b - a)) for a, b in zip(_RAMP[left], _RAMP[left + 1], strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def step_of(share: float) -> int:
    """Which of the shades a share of 0..1 has; the class `s0`, `s1`, ... of the style sheet."""
    return min(STEPS - 1, max(0, int(share * STEPS)))


def shades() -> list[tuple[str, str]]:
    """Colour of each shade on a light and on a dark page: more stands out from both."""
    return [
        # The darkest of the ramp would be lost on a dark page.
        (shade(step / (STEPS - 1)), shade(0.94 * (1 - step / (STEPS - 1))))
        for step in range(STEPS)
    ]


def short(value: float | None) -> str:
    """A number as a person would write it; whole numbers stay whole, shares get two decimals."""
    if value is None or not math.isfinite(value):
        return "–"
    if isinstance(value, int) or abs(value) >= 100 or (abs(value) >= 10 and value == int(value)):
        return f"{value:,.0f}".replace("-", "−")
    if 0 < abs(value) < 0.005:
        return f"{value:.1g}".replace("-", "−")
    # A share just below 1 must not read as 1.
    digits = 3 if 0.99 < abs(value) < 1 else 2
    return f"{value:.{digits}f}".replace("-", "−")


def text(
    x: float, y: float, words: object, *, anchor: str = "start", css: str = "", turn: float = 0
) -> Markup:
    """Escaped words at a point; `anchor` is start, middle or end, `turn` degrees clockwise."""
    turned = f" transform='rotate({turn:g} {x:.1f} {y:.1f})'" if turn else ""
    return Markup('<text x="{}" y="{}" text-anchor="{}" class="{}"{}>{}</text>').format(
        f"{x:.1f}", f"{y:.1f}", anchor, css, Markup(turned), words
    )


def line(x0: float, y0: float, x1: float, y1: float, *, css: str, colour: str = "") -> Markup:
    """A straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"{}/>').format(
        f"{x0:.1f}", f"{y0:.1f}", f"{x1:.1f}", f"{y1:.1f}", css, _style("stroke", colour)
    )


def path(points: Iterable[tuple[float, float]], *, css: str, colour: str = "") -> Markup:
    """A line through points, not filled."""
    steps = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
    return Markup('<path d="{}" class="{}" fill="none"{}/>').format(
        steps, css, _style("stroke", colour)
    )


def area(points: Sequence[tuple[float, float]], *, colour: str, opacity: float = 0.16) -> Markup:
    """A filled outline."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polygon points="{}" style="fill:{};fill-opacity:{}"/>').format(
        corners, colour, f"{opacity:g}"
    )


def box(
    x: float, y: float, wide: float, high: float, *, css: str = "", colour: str = "", tip: str = ""
) -> Markup:
    """A filled rectangle; `tip` shows when the pointer rests on it."""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"{}>{}</rect>').format(
        f"{x:.1f}",
        f"{y:.1f}",
        f"{max(0.0, wide):.1f}",
        f"{max(0.0, high):.1f}",
        css,
        _style("fill", colour),
        _tip(tip),
    )


def dot(x: float, y: float, r: float, *, colour: str, css: str = "dot", tip: str = "") -> Markup:
    """A filled circle."""
    return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"{}>{}</circle>').format(
        f"{x:.1f}", f"{y:.1f}", f"{r:g}", css, _style("fill", colour), _tip(tip)
    )


def drawing(wide: float, high: float, marks: Iterable[Markup], *, says: str) -> Markup:
    """The whole image; `says` is read aloud to people who cannot see it."""
    return Markup('<svg viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">{}</svg>').format(
        f"{wide:g}", f"{high:g}", f"{wide:g}", says, Markup("").join(marks)
    )


def _style(what: str, colour: str) -> Markup:
    return Markup(' style="{}:{}"').format(what, colour) if colour else Markup("")


def _tip(words: str) -> Markup:
    return Markup("<title>{}</title>").format(words) if words else Markup("")
