"""Places in file names at which few values stand: what could tell channels apart."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cellwise.stages.read.channels.tokens import Cut, Name, Sort, sort_of, take_apart
from cellwise.store.stains import compared, words

CUTS: tuple[Cut, ...] = ("words", "pieces")
_MOST_CHANNELS = 16
# A value that is this much rarer than the commonest is a stray.
_RARE = 4
LEAST_FITTING = 0.8
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where few values stand: how often each, and the word before it if always the same."""

    place: tuple[str, int]
    values: Mapping[str, str]
    sort: Sort
    before: str | None


@lru_cache(maxsize=_KEPT)
def names_of(paths: tuple[str, ...], cut: Cut) -> tuple[Name, ...]:
    """Paths taken apart."""
    return tuple(take_apart(path, cut=cut) for path in paths)


@lru_cache(maxsize=_KEPT)
def candidates(paths: tuple[str, ...], cut: Cut) -> tuple[Candidate, ...]:
    """The places where few values stand in nearly all names."""
    names = names_of(paths, cut)
    lengths = {len(name.words) for name in names}
    most = max(lengths)
    places = [("end", number) for number in range(most)]
    if len(lengths) > 1:
        places += [("start", number) for number in range(most)]
    depth = max(len(name.folders) for name in names)
    places += [("folder", number) for number in range(1, depth + 1)]
    found = []
    for place in places:
        values = _few(name.at(place) for name in names)
        if values is not None:
            before = _before(names, place)
            found.append(Candidate(place, values, sort_of(list(values.values()), before), before))
    return tuple(found)


def _few(texts: Iterable[str | None]) -> dict[str, str] | None:
    """The few values that nearly all texts have, as compared and as written; None without."""
    counts: Counter[str] = Counter()
    written: dict[str, str] = {}
    total = 0
    for text in texts:
        total += 1
        if text is not None and compared(text):
            counts[compared(text)] += 1
            written.setdefault(compared(text), text)
    if not counts:
        return None
    made = words("made image")
    top = counts.most_common(1)[0][1]
    usual = [value for value, count in counts.items() if _RARE * count >= top]
    usual = [value for value in usual if value not in made]
    if not 2 <= len(usual) <= _MOST_CHANNELS:
        return None
    drawn = sum(count for value, count in counts.items() if value in made)
    fitting = sum(counts[value] for value in usual)
    if fitting < LEAST_FITTING * (total - drawn):
        return None
    return {value: written[value] for value in usual}


def _before(names: Sequence[Name], place: tuple[str, int]) -> str | None:
    """The word before a place where it is the same in all names."""
    words = set()
    for name in names:
        index = name.index(place)
        if index is not None:
            words.add(name.words[index - 1].text.lower() if index else "")
    return words.pop() or None if len(words) == 1 else None


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The last words of names first, folders last."""
    rank = {"end": 0, "start": 1, "folder": 2}
    return sorted(candidates, key=lambda c: (rank[c.place[0]], c.place[1]))
