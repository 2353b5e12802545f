"""File names cut into the words that they consist of, and what sort of words a place in them holds.

A place is a folder counted from the file upwards, or a word of the file name counted from its
start or its end. What varies at a place is a stain, the number of a channel, a number of something
else (site, well, plane, time), a condition of the experiment, or any other word.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Literal

from cellwise.domain.records import normalise_well
from cellwise.stages.read.names import meaning_folders
from cellwise.store.stains import compared, is_stain, stain_table, stains_in
from cellwise.store.stains import words as words_of

Sort = Literal["stain", "target", "index", "word", "number", "place", "condition"]
Cut = Literal["words", "pieces"]

_WORD = re.compile(r"[^\W_]+(?:=\d+)?")
_WAVE = re.compile(r"^(?:ex|em)?(\d{3})(?:nm)?$")
_LETTERS_AFTER_DIGITS = re.compile(r"(?<=\d)(?=[^\W\d_])")
_LONGEST_NAME = 3
_INDEX = re.compile(r"(ch[sd]?|channel|chan|wv|wavelength|kanal|canal|cam|camera|c|w|d)=?(\d{0,3})")
# A letter may stand for much else: its numbers begin at the first and are few.
_LETTERS = {"c": 6, "w": 10, "d": 10}
_NUMBERED = re.compile(r"([^\W\d_]*)=?(\d+)")
_DYE_DIGITS = 3
# Red, green, blue and yellow as letters; rows of a plate are others as well.
_COLOUR_LETTERS = ({"r", "g", "b"}, {"r", "g", "b", "y"})
_LEAST_WAVELENGTH, _MOST_WAVELENGTH = 350, 800


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a file name, and where it stands in it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A path taken apart: its folders (plain ones left out), its name without ending, its words."""

    path: str
    folders: tuple[str, ...]
    stem: str
    words: tuple[Word, ...]

    def at(self, place: tuple[str, int]) -> str | None:
        """The text at a place, None where the name is too short."""
        where, number = place
        if where == "folder":
            return self.folders[-number] if number <= len(self.folders) else None
        index = self.index(place)
        return None if index is None else self.words[index].text

    def index(self, place: tuple[str, int]) -> int | None:
        """Which word of the name stands at a place; None for folders and too short names."""
        where, number = place
        if where == "folder" or number >= len(self.words):
            return None
        return number if where == "start" else len(self.words) - 1 - number


def take_apart(path: str, *, cut: Cut = "words") -> Name:
    """A path as a `Name`; `pieces` also cuts where letters follow digits (`img01ch00`)."""
    stem = PurePosixPath(path).stem.removesuffix(".ome")
    words = [Word(m[0], m.start(), m.end()) for m in _WORD.finditer(stem)]
    if cut == "pieces":
        words = [piece for word in words for piece in _cut(word)]
    return Name(path, meaning_folders(path), stem, tuple(_joined(words, stem)))


def _cut(word: Word) -> list[Word]:
    bounds = [0, *(m.start() for m in _LETTERS_AFTER_DIGITS.finditer(word.text)), len(word.text)]
    return [Word(word.text[a:b], word.start + a, word.start + b) for a, b in pairwise(bounds)]


def _joined(words: Sequence[Word], stem: str) -> list[Word]:
    """Words that together name one stain (`Texas Red`, `Hoechst 33342`) as one."""
    joined: list[Word] = []
    place = 0
    while place < len(words):
        for length in range(min(_LONGEST_NAME, len(words) - place), 1, -1):
            run = words[place : place + length]
            if _one_stain(tuple(word.text for word in run)):
                joined.append(Word(stem[run[0].start : run[-1].end], run[0].start, run[-1].end))
                break
        else:
            length = 1
            joined.append(words[place])
        place += length
    return joined


@cache
def _one_stain(texts: tuple[str, ...]) -> bool:
    found = stain_table().get(compared("".join(texts)))
    if found is not None and found.kind != "other":
        return True
    # `Alexa Fluor 488`: the number is part of the dye's name.
    dye, number = compared("".join(texts[:-1])), texts[-1]
    return dye in words_of("numbered dye") and number.isdecimal() and len(number) == _DYE_DIGITS


def sort_of(values: Sequence[str], before: str | None = None) -> Sort:
    """What sort of words vary at a place.

    Args:
        values: What stands there, each once.
        before: The word before it where that is everywhere the same.
    """
    words = [compared(value) for value in values]
    words = [_WAVE.sub(r"\1", word) for word in words]
    if all(word.isdecimal() for word in words):
        return _sort_of_numbers(words, before)
    if _are_indices(values):
        return "index"
    if set(words) in _COLOUR_LETTERS:
        return "word"
    if all(normalise_well(value) for value in values) or all(len(word) <= 1 for word in words):
        return "place" if not all(is_stain(value) for value in values) else "stain"
    if any(word.rstrip("0123456789") in words_of("condition") for word in words):
        return "condition"
    if _runs_on(words) and not _differ_in_dye(words):
        return "place"
    if any(_glows(value) for value in values):
        return "stain"
    return "target" if any(is_stain(value) for value in values) else "word"


def _sort_of_numbers(words: Sequence[str], before: str | None) -> Sort:
    if before is not None and before.lower() in words_of("numbered channel"):
        return "index"
    waves = all(_LEAST_WAVELENGTH <= int(word) <= _MOST_WAVELENGTH for word in words)
    # Laser lines are far apart; a running number is not.
    numbers = sorted(int(word) for word in words)
    apart = all(b - a >= 10 for a, b in pairwise(numbers))
    return "stain" if waves and apart else "number"


def _are_indices(values: Sequence[str]) -> bool:
    matches = [_INDEX.fullmatch(re.sub(r"[\s_-]", "", value.lower())) for value in values]
    if not all(matches):
        return False
    stems = {match[1] for match in matches if match}
    if all(stem.startswith("ch") for stem in stems):
        return True
    numbers = sorted(int(match[2]) for match in matches if match and match[2])
    if len(stems) > 1 or len(numbers) < len(values):
        return False
    (stem,) = stems
    in_order = numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] <= 1
    return stem not in _LETTERS or (in_order and len(numbers) <= _LETTERS[stem])


def _runs_on(words: Sequence[str]) -> bool:
    """Whether a running number is written to each word, and words of several kinds share numbers.

    So the field in `imgDAPI0`, `imgDAPI1`, `imgGFP0`, `imgGFP1`; `Alexa488`, `Alexa568`, `Cy3` and
    `Cy5` have numbers of their own.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for word in words:
        match = _NUMBERED.fullmatch(word)
        if match is None:
            return False
        numbers[match[1]].add(int(match[2]))
    if len(numbers) == 1:
        return True
    times = Counter(number for found in numbers.values() for number in found)
    return all(len(f) > 1 and any(times[n] > 1 for n in f) for f in numbers.values())


def _differ_in_dye(words: Sequence[str]) -> bool:
    """Whether words that differ in their digits only are different dyes (`Cy3`, `AF488`)."""
    digits = [re.sub(r"\D", "", word) for word in words]
    return all(is_stain(word) for word in words) and (
        all(word in stain_table() for word in words)
        or all(_LEAST_WAVELENGTH <= int(d) <= _MOST_WAVELENGTH for d in digits)
    )


def _glows(value: str) -> bool:
    """Whether a value names a dye, a fluorophore or a colour: no class is called like that."""
    return compared(value) in words_of("colour") or any(
        stain.kind in ("dye", "reporter") for _, stain in stains_in(value)
    )
