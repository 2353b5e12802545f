"""Stains and fluorophores, as people write them, with what they show: one table, `stains.csv`.

Its columns are `spellings` (joined by `|`; case, accents, blanks and signs do not count), `kind`,
`role` (empty where the word does not tell the biology), `rank` (of two channels of one role the
lower rank holds it) and `source`. The kinds are

* `target`: what is stained (`nucleus`, `tubulin`);
* `dye`: what binds to one target and glows by itself (`DAPI`, `MitoTracker`);
* `reporter`: what glows and may be bound to anything (`GFP`, `Alexa 488`);
* `colour`: a colour, which tells something only where it is the whole name;
* `other`: a word that contains one of the others and names no role of ours.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cellwise.domain.channels import Channel

_TABLE = Path(__file__).with_name("stains.csv")
_WORDS = Path(__file__).with_name("words.csv")
# The four colours of the Human Protein Atlas, where they are all there is.
HPA_COLOURS = {"red": "microtubule", "green": "protein", "blue": "nucleus", "yellow": "er"}
_NUMBERED = re.compile(r"(w|wv|ch|c|d|s|t|x|y|z)?\d+")
_LONGEST = 5
_RUNS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Stain:
    """One row of the table: `kind`, `role` or empty, `rank` (1 wins over 2 over 3), `source`."""

    kind: str
    role: str
    rank: int
    source: str


@dataclass(frozen=True, slots=True)
class Guess:
    """What a channel's name tells: its role, and the rank of the word that gave it."""

    role: str
    rank: int


@cache
def stain_table() -> Mapping[str, Stain]:
    """All stains by their compared spelling (`hoechst33342`, `alexafluor`)."""
    with _TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        compared(spelling): Stain(
            row["kind"], row["role"], int(row["rank"] or 2), row["source"].strip()
        )
        for row in rows
        for spelling in row["spellings"].split("|")
    }


@cache
def words(kind: str) -> frozenset[str]:
    """Words of file names that name no stain, from `words.csv`.

    Args:
        kind: `beside` for what stands beside a stain and says nothing of it, `condition` for what
            fields differ in, `made image` for what is made from channels, `colour`, and
            `numbered channel` for what a channel's number follows.
    """
    with _WORDS.open(encoding="utf-8", newline="") as stream:
        found = {row["kind"]: row["words"] for row in csv.DictReader(stream)}
    return frozenset(found[kind].split("|"))


def compared(text: str) -> str:
    """A spelling as it is compared: lower case, without accents, blanks and signs."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if sign.isalnum())


def stains_in(name: str) -> list[tuple[str, Stain]]:
    """The stains that a name speaks of, with their compared spellings, in order.

    Words of several parts (`Texas Red`, `Con A`) are found across separators, words written
    together (`OrigDNA`, `DAPI405`) within one part.
    """
    parts = [part for part in re.split(r"[\W_]+", name) if part]
    found: list[tuple[str, Stain]] = []
    place = 0
    while place < len(parts):
        for length in range(min(_LONGEST, len(parts) - place), 0, -1):
            joined = compared("".join(parts[place : place + length]))
            # `Con A1`: a number at the end may be no part of the name.
            word = joined if joined in stain_table() else joined.rstrip("0123456789")
            if word in stain_table():
                found.append((word, stain_table()[word]))
                break
        else:
            length = 1
            found += [(word, stain_table()[word]) for word in _within(parts[place])]
        place += length
    return found


def _within(part: str) -> list[str]:
    """The stains written together in one part; unknown letters count as words of their own."""
    whole = _covered(compared(part))
    if whole is not None:
        return whole
    found: list[str] = []
    for run in _RUNS.findall(part):
        pieces = _covered(compared(run))
        if pieces is None:
            pieces = [w for piece in _CAMEL.findall(run) if (w := compared(piece)) in stain_table()]
        found += pieces
    return found


@cache
def _covered(text: str) -> list[str] | None:
    """The stains of a text that consists of nothing but stains, plain words and digits.

    Of several ways the one that leaves the fewest letters and digits to plain words and numbers
    counts, then the one with the fewest words; None where there is no way.
    """
    table = stain_table()
    best: list[tuple[int, int, list[str]] | None] = [(0, 0, [])]
    for end in range(1, len(text) + 1):
        ways: list[tuple[int, int, list[str]]] = []
        for start in range(end):
            before, word = best[start], text[start:end]
            if before is None:
                continue
            if word in table:
                ways.append((before[0], before[1] + 1, [*before[2], word]))
            elif word in words("beside") or _NUMBERED.fullmatch(word):
                ways.append((before[0] + len(word), before[1] + 1, before[2]))
        best.append(min(ways, key=lambda way: way[:2]) if ways else None)
    last = best[-1]
    return last[2] if last is not None and text else None


def guess(name: str) -> Guess | None:
    """What the words in a channel's name tell, None where they tell no role or two.

    A target or a dye decides; a reporter only where it stands alone (`GFP`, not `GFP-tubulin`), and
    a colour only where it is the whole name.
    """
    stains = stains_in(name)
    telling = [s for _, s in stains if s.kind in ("target", "dye")]
    reporters = {word: s for word, s in stains if s.kind == "reporter"}
    roles = {s.role for s in telling}
    if telling:
        # What glows by itself needs no reporter: `GFP-DAPI` is two images laid over each other.
        mixed = any(s.kind == "dye" and s.rank == 1 for s in telling) and any(
            s.role for s in reporters.values()
        )
        first = min(telling, key=lambda s: s.rank)
        return None if len(roles) > 1 or mixed else Guess(first.role, first.rank)
    if reporters:
        (only, *more) = reporters.values()
        return Guess(only.role, only.rank) if only.role and not more else None
    colours = [s for _, s in stains if s.kind == "colour"]
    if len(stains) == len(colours) == 1 and colours[0].role and _nothing_else(name):
        return Guess(colours[0].role, colours[0].rank)
    return None


def _nothing_else(name: str) -> bool:
    """Whether a name consists of stains, plain words and digits only."""
    return _covered(compared(name)) is not None


def guess_role(name: str) -> str | None:
    """The role that the words in a channel's name give it, or None.

    Case, digits, accents and separators are ignored: `Hoechst 33342`, `hoechst-33342` and
    `w1Hoechst` are all `nucleus`.
    """
    found = guess(name)
    return found.role if found else None


def is_stain(name: str) -> bool:
    """Whether a name speaks of a target, a dye or a reporter."""
    return any(stain.kind in ("target", "dye", "reporter") for _, stain in stains_in(name))


def name_channels(
    names: Sequence[str], roles: Mapping[str, str] | None = None
) -> tuple[Channel, ...]:
    """Channels for these names; `roles` (name to role) overrides the guess.

    Two channels never share a role: where words give one role twice, the word of the lower rank
    holds it (a blue dye of nuclei before a protein of nuclei), and where they are of one rank none
    does.
    """
    given = {name: role for name, role in (roles or {}).items() if name in names}
    free = [name for name in names if name not in given]
    guesses = {name: found for name in free if (found := guess(name))}
    if {compared(name) for name in names} == set(HPA_COLOURS):
        guesses |= {name: Guess(HPA_COLOURS[compared(name)], 3) for name in free}
    held = set(given.values())
    chosen = dict(given)
    for role in {found.role for found in guesses.values()} - held:
        rivals = sorted((f.rank, name) for name, f in guesses.items() if f.role == role)
        if len(rivals) == 1 or rivals[0][0] < rivals[1][0]:
            chosen[rivals[0][1]] = role
    return tuple(Channel(name, chosen.get(name)) for name in names)
