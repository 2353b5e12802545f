"""What label texts say: several labels in one text, words for no label, one class in two spellings.

Nothing is guessed. What may be several labels written otherwise than `a|b` is refused with the
setting that splits it; classes that differ in spelling only stay apart and are named.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cellwise.contracts.layout import Problem
from cellwise.domain.classes import SEPARATOR
from cellwise.domain.missing import is_missing
from cellwise.domain.plain_words import by_number, counted
from cellwise.errors import PreflightError
from cellwise.stages.read._columns import words as setting
from cellwise.stages.read.label_words.separated import refuse_separated, split_text
from cellwise.stages.read.label_words.spelling import spelled

_LISTED = 12
# Fewer rows than this, and fewer labelled ones, show no pattern.
_LEAST_ROWS, _LEAST_BLOCKS = 6, 2
# Words for no label that are no words for a missing number.
_NO_LABEL = frozenset(
    (
        *("unlabelled", "unlabeled", "not labelled", "not labeled", "no label", "unlabel"),
        *("not annotated", "unannotated", "not determined", "n.d.", "tbd", "to be determined"),
        *("unknown", "not known", "unclear", "undetermined", "undefined", "not available"),
        *("unassigned", "not assigned", "unclassified", "not classified", "not scored", "no data"),
    )
)
# Signs and words for what stands in the row above.
_AS_ABOVE = frozenset(
    ('"', '""', "''", "〃", "″", '-"-', "ditto", "idem", "as above", "see above", "same as above")
)
# What a spreadsheet makes of genes such as MARCHF1 and SEPTIN2, and of ids such as 2310009E13.
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MANGLED = re.compile(
    rf"\d{{1,2}}-({_MONTHS})(-\d{{2,4}})?|({_MONTHS})-\d{{1,2}}|\d{{4}}-\d\d-\d\d( 00:00:00)?"
    r"|\d{1,2}[./]\d{1,2}[./]\d{4}|\d\.\d+e\+\d\d|\de\+\d\d",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Label texts in the grammar `a|b|c`, empty for unlabelled, and what was noticed."""

    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def clean_labels(
    texts: Sequence[str],
    *,
    where: str,
    declared: Collection[str] = (),
    genotypes: bool = False,
    separator: str = "",
    spelling: str = "",
) -> Cleaned:
    """Bring the texts of a label column into one form.

    Args:
        texts: As the table has them.
        where: What messages call the column.
        declared: Classes that the person declares: their names are never words for no label.
        genotypes: Whether the column holds genotypes, of which `null` is one.
        separator: A word of `SEPARATORS`, `bar` for `|` alone, or empty: only `|` splits, and what
            looks split otherwise is refused.
        spelling: `merge` makes one class of those that differ in spelling only.

    Raises:
        PreflightError: Texts look like several labels, or say no more than `as above`.
    """
    lists = [split_text(text, separator) for text in texts]
    if not separator:
        refuse_separated(lists, where, declared)
    _refuse_as_above(lists, where, declared)
    kept = set(declared) | _own_words(lists, genotypes=genotypes)
    lists, notes = _without_missing(lists, where, kept)
    lists, plain = _whole_numbers(lists, where)
    same = compare_spellings(lists, where=where, declared=declared, spelling=spelling)
    problems = (*same.problems, *_mangled(lists, where, declared))
    return Cleaned(same.texts, (*notes, *_blocks(lists, where), *plain, *same.notes), problems)


def compare_spellings(
    lists: Sequence[Sequence[str]], *, where: str, declared: Collection[str], spelling: str
) -> Cleaned:
    """Name classes that differ in spelling only, or merge them; arguments as `clean_labels`."""
    merged = _merged(lists, declared)
    notes, problems = [], []
    if spelling == "merge":
        lists = [list(dict.fromkeys(merged.get(w, w) for w in found)) for found in lists]
        if merged:
            pairs = ", ".join(f"{old!r} is {new!r}" for old, new in sorted(merged.items()))
            notes.append(f"{where}: spellings are merged: {pairs}.")
    elif merged:
        problems.append(_spelling_problem(lists, merged, where))
    texts = tuple(SEPARATOR.join(found) for found in lists)
    return Cleaned(texts, tuple(notes), tuple(problems))


def _refuse_as_above(lists: Sequence[Sequence[str]], where: str, declared: Collection[str]) -> None:
    said = [w for found in lists for w in found if w.casefold() in _AS_ABOVE and w not in declared]
    if said:
        raise PreflightError(
            f"{where}: {counted(len(said), 'rows')} {by_number(len(said), 'says', 'say')} "
            f"{said[0]!r}, as for the label of the row above. Write the label into each row."
        )


def _blocks(lists: Sequence[Sequence[str]], where: str) -> list[str]:
    """A note where only the first row of each block has a label, as merged cells are saved."""
    filled = [place for place, found in enumerate(lists) if found]
    if filled[:1] != [0] or len(filled) < _LEAST_BLOCKS or len(lists) < _LEAST_ROWS:
        return []
    ends = [*filled[1:], len(lists)]
    repeated = any(lists[a] == lists[b] for a, b in pairwise(filled))
    if repeated or any(end - place < 2 for place, end in zip(filled, ends, strict=True)):
        return []
    return [
        f"{where}: only the first row of each block has a label, as merged cells are saved by a "
        f"spreadsheet; {counted(len(lists) - len(filled), 'rows')} are unlabelled. If they have "
        "the label above them, fill it down."
    ]


def _own_words(lists: Sequence[Sequence[str]], *, genotypes: bool) -> set[str]:
    """Words that mean nothing elsewhere and are classes here: `-` beside `+`, `Null` of a gene."""
    known = {word for found in lists for word in found}
    nulls = {word for word in known if genotypes and word.casefold() == "null"}
    return nulls | ({"-"} if "+" in known else set())


def _without_missing(
    lists: Sequence[list[str]], where: str, kept: Collection[str]
) -> tuple[list[list[str]], list[str]]:
    """Without words such as `NA` that are not kept, and a note that counts them."""
    gone: Counter[str] = Counter()
    result = []
    for found in lists:
        rest = [word for word in found if word in kept or not _is_no_label(word)]
        gone.update(word for word in found if word not in rest)
        result.append(rest)
    if not gone:
        return result, []
    empty = sum(not found for found in lists)
    said = ", ".join(f"{word!r} {count}" for word, count in sorted(gone.items()))
    classes = sorted({word for found in result for word in found})
    rows = sum(gone.values())
    says = by_number(rows, "says", "say")
    note = f"{where}: {counted(rows, 'rows')} {says} that nothing is known ({said}"
    note += f"; {empty} more {by_number(empty, 'is', 'are')} empty" if empty else ""
    note += "): unlabelled."
    if len(classes) < _LISTED:
        listed = setting([("classes", SEPARATOR.join([*classes, sorted(gone)[0]]))])
        note += f" If one of these words is a class, declare the classes: {listed}"
    return result, [note]


def _is_no_label(word: str) -> bool:
    return is_missing(word) or word.strip().casefold() in _NO_LABEL


def _mangled(
    lists: Sequence[Sequence[str]], where: str, declared: Collection[str]
) -> list[Problem]:
    """A problem that names classes which a spreadsheet made of the names of genes or of ids."""
    counts = Counter(word for found in lists for word in found)
    words = [w for w in sorted(counts) if _MANGLED.fullmatch(w) and w not in declared]
    if not words:
        return []
    said = ", ".join(f"{word!r} {counts[word]}" for word in words[:_LISTED])
    return [
        Problem(
            "class_mangled",
            where,
            f"Classes look like dates or rounded numbers, as spreadsheets write them in place of "
            f"names such as SEPT2 or 2310009E13: {said}.",
            "Write the names again in the labels file, in a column of the type text.",
            set_aside=False,
        )
    ]


def _whole_numbers(lists: Sequence[list[str]], where: str) -> tuple[list[list[str]], list[str]]:
    """`5` for `5.0`, which spreadsheets make of numbers in a column with empty cells."""
    words = {word for found in lists for word in found}
    if not any("." in word for word in words) or not all(
        re.fullmatch(r"\d+(\.0+)?", word) for word in words
    ):
        return list(lists), []
    return (
        [[word.split(".")[0] for word in found] for found in lists],
        [f"{where}: whole numbers written as {sorted(w for w in words if '.' in w)[0]} are ids."],
    )


def _merged(lists: Sequence[Sequence[str]], declared: Collection[str]) -> dict[str, str]:
    """The usual spelling of each word that has another: the declared, else the most frequent."""
    counts = Counter(word for found in lists for word in found)
    groups: dict[str, list[str]] = defaultdict(list)
    for word in {*counts, *declared}:
        groups[spelled(word)].append(word)
    merged = {}
    for group in groups.values():
        usual = min(group, key=lambda word: (word not in declared, -counts[word], word))
        others = [word for word in group if word != usual and word not in declared]
        merged.update(dict.fromkeys(others, usual))
    return merged


def _spelling_problem(
    lists: Sequence[Sequence[str]], merged: Mapping[str, str], where: str
) -> Problem:
    counts = Counter(word for found in lists for word in found)
    groups: dict[str, list[str]] = defaultdict(list)
    for old, new in sorted(merged.items()):
        groups[new].append(old)
    said = "; ".join(
        ", ".join(f"{word!r} {counts[word]}" for word in (new, *old))
        for new, old in sorted(groups.items())
    )
    return Problem(
        "class_spelling",
        where,
        f"Classes differ in spelling only and stay apart: {said}.",
        f"To make one class of each: {setting([('spelling', 'merge')])}",
        set_aside=False,
    )
