"""Micrometres per pixel, as files state them."""

MICROMETRES = dict.fromkeys(
    ("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0
) | {"nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25_400.0, "in": 25_400.0, "å": 1e-4}
"""By the word for the unit, in lower case."""

LARGEST = 50.0
"""No light microscope has larger pixels."""

_PLAUSIBLE = (0.005, LARGEST)
# Scanners and printers have so many dots per inch at most, and whole numbers of them.
_MOST_DOTS = 4800
# Rounded in a file, sizes that are meant to be equal differ by less.
_EQUAL = 1.01


def plausible(size: float | None) -> float | None:
    """The size where a light microscope can have it (many programs write 72 dpi), else None."""
    return size if size is not None and _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1] else None


def is_for_print(per_inch: float) -> bool:
    """Whether a number of pixels per inch is one for screens and paper, such as 72 or 600."""
    return per_inch <= _MOST_DOTS and abs(per_inch - round(per_inch)) < 1e-3


def are_square(across: float | None, down: float | None) -> bool:
    """Whether pixels are as high as they are wide, as far as it is stated."""
    if across is None or down is None:
        return True
    return max(across, down) <= _EQUAL * min(across, down)
