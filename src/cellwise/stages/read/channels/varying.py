"""The varying word decides: which word of the names, or which folder, tells the channels apart.

Images whose names differ in one word only, where that word takes the same few values everywhere,
are the channels of one site. Words that name stains or number channels are enough by themselves;
words that could be anything (`Kern1`, `rot`) are believed where the pixels show the same place.
Numbers of sites, wells, planes and times, plain running numbers and words for conditions are never
channels.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cellwise.stages.read.channels.places import (
    CUTS,
    LEAST_FITTING,
    Candidate,
    candidates,
    in_order,
    names_of,
)
from cellwise.stages.read.channels.tokens import Name, Sort
from cellwise.store.stains import compared

# Says of groups of paths whether the images of a group show one place.
Witness = Callable[[Sequence[Mapping[str, str]]], bool | None]

_LEAST_WHOLE = 0.5
_LEAST_WHOLE_WORDS = 0.8


@dataclass(frozen=True, slots=True)
class Split:
    """A path without its channel: folders, name, and the channel as it is written."""

    folders: tuple[str, ...]
    rest: str
    channel: str


@dataclass(frozen=True, slots=True)
class Varying:
    """How names tell channels apart.

    Args:
        splits: By path; paths that do not fit are absent.
        sort: What sort of words the channels are.
        values: The words, each once.
        certain: Whether the words say so themselves, or the pixels had to be asked.
    """

    splits: Mapping[str, Split]
    sort: Sort
    values: tuple[str, ...]
    certain: bool


def varying_word(paths: Sequence[str], witness: Witness | None = None) -> Varying | None:
    """What tells the channels of these images apart; None where nothing does.

    Args:
        paths: The images, relative to their folder.
        witness: Asked about words that could be anything.
    """
    for cut in CUTS:
        found = candidates(tuple(paths), cut)
        for sort in ("stain", "index", "target"):
            for one in in_order([c for c in found if c.sort == sort and _certain(c)]):
                split = _split(names_of(tuple(paths), cut), one, found)
                if split is not None:
                    return split
    found = candidates(tuple(paths), CUTS[0])
    for one in in_order([c for c in found if _could_be(c)]):
        split = _split(names_of(tuple(paths), CUTS[0]), one, found, whole=_LEAST_WHOLE_WORDS)
        if split is not None and _groups(split) > 1:
            said = witness(sites_of(split)) if witness is not None else None
            if said or (said is None and one.place[0] != "folder"):
                return split
    return None


def unclear_number(paths: Sequence[str], witness: Witness) -> Varying | None:
    """Numbers that tell images of one place apart: channels, planes or times; None without."""
    names, found = names_of(tuple(paths), CUTS[0]), candidates(tuple(paths), CUTS[0])
    for one in in_order([c for c in found if c.sort == "number" and c.place == ("end", 0)]):
        split = _split(names, one, found, whole=_LEAST_WHOLE_WORDS)
        if split is not None and _groups(split) > 1 and witness(sites_of(split)):
            return split
    return None


def sites_of(varying: Varying) -> list[dict[str, str]]:
    """Path by channel, for each site."""
    sites: dict[tuple[tuple[str, ...], str], dict[str, str]] = defaultdict(dict)
    for path, split in varying.splits.items():
        sites[split.folders, split.rest.lower()][compared(split.channel)] = path
    return list(sites.values())


def _certain(candidate: Candidate) -> bool:
    """Whether words at this place are channels whatever the pixels show.

    Folders called `Actin` or `d1` may be classes and days, files called `actin_1` too.
    """
    if candidate.place[0] == "folder":
        numbered = all(value.startswith("ch") for value in candidate.values)
        return candidate.sort == "stain" or (candidate.sort == "index" and numbered)
    if candidate.sort == "target":
        return candidate.place == ("end", 0)
    return candidate.sort in ("stain", "index")


def _could_be(candidate: Candidate) -> bool:
    """Whether the pixels may decide."""
    words = candidate.sort == "word" and candidate.place[0] != "folder"
    return words or (candidate.sort in ("index", "target") and not _certain(candidate))


def _groups(varying: Varying) -> int:
    return len(sites_of(varying))


def _split(
    names: Sequence[Name],
    chosen: Candidate,
    all_candidates: Sequence[Candidate],
    *,
    whole: float = _LEAST_WHOLE,
) -> Varying | None:
    """Names split at a place, if most sites then have the same channels; else None.

    Where they do not, words that go with the channel (`Ch1-T1`, `w1 DAPI`) are left out as well.
    """
    if _may_be_a_well(chosen, names):
        return None
    followers = _followers(names, chosen, all_candidates)
    best, best_share = None, 0.0
    for places in ([], followers) if followers else ([],):
        splits = {name.path: split for name in names if (split := _take_out(name, chosen, places))}
        varying = Varying(splits, chosen.sort, tuple(chosen.values.values()), _certain(chosen))
        share = _whole(varying, least=whole)
        alone = _groups(varying) == 1
        if alone and not all(_goes_along(place) for place in places):
            continue
        if share > best_share and not (alone and chosen.sort == "word"):
            best, best_share = varying, share
    return best


def _whole(varying: Varying, *, least: float) -> float:
    """The share of files that lie in sites with the usual channels; 0 where too few sites do."""
    sites = sites_of(varying)
    usual, count = Counter(frozenset(site) for site in sites).most_common(1)[0]
    files = len(varying.splits)
    # Two files of one name and two endings are named later; many are no channels.
    doubled = files - sum(map(len, sites))
    if len(usual) < 2 or count < least * len(sites) or doubled > (1 - LEAST_FITTING) * files:
        return 0.0
    return count * len(usual) / files


def _may_be_a_well(chosen: Candidate, names: Sequence[Name]) -> bool:
    """Whether channels `C01`, `C02`... could be wells: nothing else in the names is one."""
    if not all(re.fullmatch(r"C\d\d", value) for value in chosen.values.values()):
        return False
    for name in names:
        own = name.index(chosen.place)
        words = [word.text for index, word in enumerate(name.words) if index != own]
        if not any(re.fullmatch(r"[A-P]\d\d", word) for word in words):
            return True
    return False


def _followers(
    names: Sequence[Name], chosen: Candidate, others: Sequence[Candidate]
) -> list[Candidate]:
    """Places of the name whose word follows from the channel."""
    found = []
    for other in others:
        if other.place[0] == "folder" or other.place == chosen.place:
            continue
        said: dict[str, set[str]] = defaultdict(set)
        for name in names:
            channel, text = name.at(chosen.place), name.at(other.place)
            if channel is not None and name.index(other.place) != name.index(chosen.place):
                said[compared(channel)].add(compared(text or ""))
        if said and all(len(texts) == 1 for texts in said.values()):
            found.append(other)
    return found


def _goes_along(follower: Candidate) -> bool:
    """Whether a word that follows the channel says so itself, where one site is all there is."""
    return follower.sort in ("stain", "index", "target") or (
        follower.sort == "number" and all(len(value) > 2 for value in follower.values)
    )


def _take_out(name: Name, chosen: Candidate, followers: Sequence[Candidate]) -> Split | None:
    """A name without its channel; None where no usual channel stands there."""
    value = name.at(chosen.place)
    if value is None or compared(value) not in chosen.values:
        return None
    spans = [_span(name, one) for one in (chosen, *followers)]
    if chosen.place[0] == "folder":
        at = len(name.folders) - chosen.place[1]
        folders = (*name.folders[:at], *name.folders[at + 1 :])
        return Split(folders, _without(name.stem, spans), value)
    return Split(name.folders, _without(name.stem, spans), _called(name, chosen, followers))


def _span(name: Name, candidate: Candidate) -> tuple[int, int]:
    index = name.index(candidate.place)
    if index is None:
        return (0, 0)
    word = name.words[index]
    # `Channel 1`: the word before the number belongs to it.
    numbered = candidate.sort == "index" and word.text.isdecimal() and index > 0
    return (name.words[index - 1].start if numbered else word.start, word.end)


def _called(name: Name, chosen: Candidate, followers: Sequence[Candidate]) -> str:
    """The channel as it is written, with the words beside it that go with it."""
    start, end = _span(name, chosen)
    spans = sorted(_span(name, one) for one in followers)
    for other_start, other_end in [*spans, *reversed(spans)]:
        between = name.stem[end:other_start] if other_start >= end else name.stem[other_end:start]
        if re.fullmatch(r"[\W_]*", between):
            start, end = min(start, other_start), max(end, other_end)
    return name.stem[start:end]


def _without(stem: str, spans: Sequence[tuple[int, int]]) -> str:
    """A name without these spans and the signs around them."""
    for start, end in sorted(set(spans), reverse=True):
        if start == end:
            continue
        left = re.sub(r"[\W_]+$", "", stem[:start])
        right = re.sub(r"^[\W_]+", "", stem[end:])
        between = re.sub(r"[^_. -]", "", stem[len(left) : start])[:1] or "_"
        stem = f"{left}{between}{right}" if left and right else left or right
    return stem
