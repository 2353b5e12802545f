"""What files and names say of how images were taken: notes where it differs between fields.

Areas are in pixels and brightness is in the numbers of the camera, so that neither compares across
magnifications, binnings and exposures.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from cellwise.domain.plain_words import counted

_SHOWN = 4
# Sizes of pixels that differ by less are one.
_EQUAL = 1.01
# By so much a setting that corrects what files say is worth a word.
_CORRECTED = 1.05
_BEFORE, _AFTER = r"(?<![^\W_])", r"(?![^\W_])"
_WORDS = {
    "exposures": re.compile(rf"{_BEFORE}(\d+(?:[.,]\d+)?)\s?ms(?:ec)?{_AFTER}", re.IGNORECASE),
    "magnifications": re.compile(rf"{_BEFORE}(\d{{1,3}})\s?x{_AFTER}", re.IGNORECASE),
    "binnings": re.compile(rf"{_BEFORE}bin(?:ning)?[\s_-]?(\d)(?:x\d)?{_AFTER}", re.IGNORECASE),
}
_UNITS = {"exposures": " ms", "magnifications": "x", "binnings": ""}


def pixel_size_notes(stated: Mapping[str, float], given: float) -> list[str]:
    """A note where fields state different sizes of a pixel, or a setting contradicts them.

    Args:
        stated: Micrometres per pixel by field, of those that state it.
        given: What the setting says of all, 0 for nothing.
    """
    sizes = list(stated.values())
    if not sizes:
        return []
    counts = Counter(f"{size:.4g}" for size in sizes)
    said = _listed({f"{size} µm": count for size, count in counts.items()})
    if given:
        apart = max(max(sizes) / given, given / min(sizes))
        return (
            [f"Files state pixels of {said}; the setting read.pixel_size={given:g} is taken."]
            if apart > _CORRECTED
            else []
        )
    if max(sizes) <= _EQUAL * min(sizes):
        return []
    return [
        f"Fields state different sizes of a pixel: {said}. Areas and lengths of cells are in "
        "pixels and do not compare between them."
    ]


def named_setting_notes(names: Iterable[tuple[str, str]]) -> list[str]:
    """A note where names of one channel state several exposures, magnifications or binnings.

    Args:
        names: Channel and path of each file.
    """
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for channel, path in names:
        for what, word in _WORDS.items():
            numbers = set(word.findall(path))
            if len(numbers) == 1:
                found[what, channel][numbers.pop().replace(",", ".")] += 1
    notes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (what, channel), counts in found.items():
        if len(counts) > 1:
            said = _listed({f"{n}{_UNITS[what]}": count for n, count in counts.items()})
            notes[what, said].append(channel)
    return [
        f"Names of {counted(len(channels), 'channels')} ({', '.join(channels[:_SHOWN])}) state "
        f"several {what}: {said}. Brightness or size of cells does not compare between them."
        for (what, said), channels in notes.items()
    ]


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ", ".join(f"{text} ({count})" for text, count in most[:_SHOWN])
    return shown + (" ..." if len(most) > _SHOWN else "")
