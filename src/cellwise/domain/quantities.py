"""Numbers with units as people type them: `10 nM`, `0,03`, `1.5 µM`, `3e-2`, `1 000`.

A column is read as a whole: its values get one unit, and what a single value leaves open (is
`1,000` one or a thousand?) the other values settle, or it is not read. Powers of ten are exact, so
that `1000 nM` and `1 uM` are one dose.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from cellwise.domain.missing import is_missing

# Unit to its kind and its power of ten. Sources: SI prefixes; 1 mg/mL is 1 g/L.
_UNITS: dict[str, tuple[str, int]] = {
    **{f"{prefix}M": ("molar", power) for prefix, power in zip(
        ("", "m", "µ", "n", "p", "f"), (0, -3, -6, -9, -12, -15), strict=True
    )},
    **{f"{prefix}g/mL": ("mass", power) for prefix, power in zip(
        ("", "m", "µ", "n", "p"), (3, 0, -3, -6, -9), strict=True
    )},
    **{f"{prefix}g/L": ("mass", power) for prefix, power in zip(
        ("", "m", "µ", "n"), (0, -3, -6, -9), strict=True
    )},
    "mg/kg": ("body", 0),
    "µg/kg": ("body", -3),
    "%": ("percent", 0),
    "x": ("fold", 0),
    "Gy": ("radiation", 0),
    "mGy": ("radiation", -3),
    "U/mL": ("units", 0),
    "mU/mL": ("units", -3),
}  # fmt: skip
_SAME = {
    "molar": "M", "mol/l": "M", "mmol/l": "mM", "µmol/l": "µM", "nmol/l": "nM", "pmol/l": "pM",
    "millimolar": "mM", "micromolar": "µM", "nanomolar": "nM", "picomolar": "pM",
    "µg/µl": "mg/mL", "ng/µl": "µg/mL", "ppm": "mg/L",
    "percent": "%", "fold": "x", "iu/ml": "U/mL",
}  # fmt: skip
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d[\d.,]*|[.,]\d+)(?:(?:[  ']\d{3})+(?![\d]))?(?:[.,]\d+)?"
    r"(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\d\s].*)?"
)
_THOUSANDS = r"[1-9]\d{{0,2}}(?:{0}\d{{3}})+"
_WORDS = (
    "dose doses dosage doseindex doselevel dosestep drugdose compounddose pertdose concentration "
    "concentrations conc concs drugconcentration compoundconcentration drugconc compoundconc "
    "finalconcentration finalconc testconcentration"
)
_DOSE_WORDS = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Quantities:
    """A column of numbers.

    Args:
        values: One per text; None where there is none, or none that can be read.
        unit: The unit of all values; empty where none is written.
        unreadable: Why texts were not read: each such text and the count of its rows.
        typed: Whether any value was more than a plain number.
    """

    values: tuple[float | None, ...]
    unit: str = ""
    unreadable: tuple[tuple[str, int], ...] = ()
    typed: bool = False

    @property
    def unread(self) -> int:
        """How many rows say something that is no number."""
        return sum(count for _, count in self.unreadable)

    def examples(self, most: int = 3) -> str:
        """The most frequent texts that were not read."""
        shown = ", ".join(f"{text!r} ({count})" for text, count in self.unreadable[:most])
        return shown + (" ..." if len(self.unreadable) > most else "")


def read_quantities(texts: Sequence[str | None], *, unit: str = "") -> Quantities:
    """Read a column of numbers.

    Args:
        texts: As the table has them; words such as `NA` are no value and no fault.
        unit: The unit that the column's name states, for values that state none.
    """
    marks = _marks(text for text in texts if text is not None)
    parsed = [_parse(text, unit, marks) for text in texts]
    common = _common_unit(found for found in parsed if found is not None)
    values, unread = [], []
    for text, found in zip(texts, parsed, strict=True):
        value = None if found is None else _converted(*found, common)
        values.append(value)
        if value is None and text is not None and not is_missing(text):
            unread.append(text.strip())
    typed = any(not _is_plain(text) for text in texts if text is not None and not is_missing(text))
    return Quantities(tuple(values), common, tuple(Counter(unread).most_common()), typed)


def dose_unit(column: str) -> str | None:
    """The unit that the name of a dose column states, empty for none; None for other columns.

    `Dose`, `dose_index`, `concentration_uM`, `Metadata_Conc (nM)`, `mmoles_per_liter`.
    """
    name = re.sub(r"(?i)^metadata_", "", column.strip())
    if name.casefold() == "mmoles_per_liter":
        return "mM"
    words = re.findall(r"[^\W_]+|[%/]", name.replace("_per_", "/"))
    plain = "".join(words).casefold()
    if plain in _DOSE_WORDS:
        return ""
    for count in (1, 3):
        unit = _known_unit("".join(words[-count:]))
        if unit and "".join(words[:-count]).casefold() in _DOSE_WORDS:
            return unit
    return None


def _known_unit(text: str) -> str:
    """The unit in its usual spelling, empty where it is none that is known."""
    plain = text.strip(" .()[]").replace("μ", "µ").replace(" ", "")
    plain = re.sub(r"^u(?=[a-zA-Z])", "µ", plain)
    plain = re.sub(r"^[cC]?[uU](?=[gG]/|[mM]$|[mM]ol)", "µ", plain)
    plain = re.sub(r"/u(?=[lL])", "/µ", plain)
    if plain in _UNITS:
        return plain
    lower = {unit.casefold(): unit for unit in _UNITS if unit != "M"}
    # `casefold` turns the sign micro into the letter mu.
    names = {name.casefold(): unit for name, unit in _SAME.items()}
    folded = plain.casefold()
    return lower.get(folded) or names.get(folded) or ""


@dataclass(frozen=True, slots=True)
class _Marks:
    """What the values of a column show: a comma, and a point, that can only be a decimal one."""

    comma: bool
    point: bool


def _marks(texts: Iterable[str]) -> _Marks:
    comma = point = False
    for text in texts:
        match = _NUMBER.fullmatch(text.strip())
        number = re.split("[eE]", match["number"])[0].lstrip("+-") if match else ""
        if "," in number and "." in number:
            last = max(number.rfind(","), number.rfind("."))
            comma, point = comma or number[last] == ",", point or number[last] == "."
        elif "," in number:
            comma = comma or not re.fullmatch(_THOUSANDS.format(","), number)
        elif "." in number:
            point = point or not re.fullmatch(_THOUSANDS.format(r"\."), number)
    return _Marks(comma, point)


def _parse(text: str | None, unit: str, marks: _Marks) -> tuple[Decimal, str] | None:
    """Value and unit, the latter as written where it is not known."""
    if text is None or is_missing(text):
        return None
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    value = _number(match["number"], marks)
    written = (match["unit"] or "").strip()
    if value is None or (
        written and not re.fullmatch(r"[^\W\d_][\w%/·^. -]{0,15}|%.{0,8}", written)
    ):
        return None
    return value, (_known_unit(written) or written) if written else unit


def _number(text: str, marks: _Marks) -> Decimal | None:
    """The number, or None where its comma or point may mean two things."""
    digits, _, power = re.sub(r"[  ']", "", text).replace("E", "e").partition("e")
    sign, digits = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    if "," in digits and "." in digits:
        last = max(digits.rfind(","), digits.rfind("."))
        decimal, group = digits[last], ",."[",.".index(digits[last]) - 1]
        whole = digits[:last]
        if decimal in whole or not re.fullmatch(_THOUSANDS.format(re.escape(group)), whole):
            return None
        digits = whole.replace(group, "") + "." + digits[last + 1 :]
    elif re.fullmatch(_THOUSANDS.format(","), digits):
        if marks.comma == marks.point:
            return None
        digits = digits.replace(",", "." if marks.comma else "")
    elif re.fullmatch(_THOUSANDS.format(r"\."), digits) and marks.comma and not marks.point:
        return None
    try:
        value = Decimal(f"{sign}{digits.replace(',', '.')}e{power or 0}")
        return value if abs(value.adjusted()) < 300 else None
    except InvalidOperation:
        return None


def _common_unit(found: Iterable[tuple[Decimal, str]]) -> str:
    """The most frequent unit of the most frequent kind; zero needs none."""
    counts = Counter(unit for value, unit in found if unit or value)
    kinds: Counter[str] = Counter()
    for unit, count in counts.items():
        kinds[_UNITS.get(unit, (unit, 0))[0]] += count
    if not kinds:
        return ""
    # Values with a unit say more than bare ones.
    kind = max(kinds, key=lambda name: (bool(name), kinds[name]))
    return max(
        (unit for unit in counts if _UNITS.get(unit, (unit, 0))[0] == kind),
        key=lambda unit: (counts[unit], unit),
    )


def _converted(value: Decimal, unit: str, common: str) -> float | None:
    if unit == common or (not unit and not value):
        return float(value)
    kind, power = _UNITS.get(unit, (unit, 0))
    wanted, common_power = _UNITS.get(common, (common, 0))
    return float(value.scaleb(power - common_power)) if kind == wanted else None


def _is_plain(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
