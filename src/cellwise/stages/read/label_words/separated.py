"""Several labels in one text, written otherwise than `a|b`: split where told, refused else."""

import re
from collections.abc import Collection, Sequence

from cellwise.domain.classes import split_labels
from cellwise.errors import PreflightError
from cellwise.stages.read._columns import words as setting
from cellwise.stages.read.label_words.spelling import spelled

# How `read.separator` calls what stands between labels.
SEPARATORS = {
    "semicolon": ";",
    "comma": ",",
    "space": " ",
    "slash": "/",
    "plus": "+",
    "ampersand": "&",
    "and": " and ",
    "line": "\n",
}
# What else may stand between two classes; a point or comma within a number does not.
_JOINTS = re.compile(
    r"\s*(?:(?<!\d)[.,]|[.,](?!\d)|[^\w\s.,])+\s*|_+"
    r"|\s+(?:and|und|et|y|e|i|og|och|en|or|oder|ou|with|mit|plus)\s+",
    re.IGNORECASE,
)


def split_text(text: str, separator: str) -> list[str]:
    """The labels in a text, by `|` and by what `read.separator` says."""
    parts = split_labels(text) or ()
    mark = SEPARATORS.get(separator)
    if mark is None:
        return list(parts)
    found = [word for part in parts for word in part.split(mark)]
    return [word for word in (text.strip(" []'\"") for text in found) if word]


def refuse_separated(lists: Sequence[Sequence[str]], where: str, declared: Collection[str]) -> None:
    """Refuse texts that look like several labels, with the setting that splits them.

    Args:
        lists: The labels of each row, split by `|` alone.
        where: What messages call the column.
        declared: Classes that the person declares; none of them is several.

    Raises:
        PreflightError: Texts look like several labels.
    """
    known = {word for found in lists for word in found}
    alone = {spelled(word) for word in known} | {spelled(word) for word in declared}
    for name, mark in SEPARATORS.items():
        texts = [w for w in sorted(known) if w not in declared and _is_several(w, mark, alone)]
        if texts:
            rows = sum(text in found for found in lists for text in texts)
            shown = ", ".join(map(repr, texts[:3]))
            raise PreflightError(
                f"{where}: {rows} texts look like several labels ({shown}), and labels are written "
                f"a|b. To split them: {setting([('separator', name)])} ; if each is one class of "
                f"that name: {setting([('separator', 'bar')])}"
            )
    texts = [w for w in sorted(known) if w not in declared and _joined(w, alone - {spelled(w)})]
    if texts:
        shown = ", ".join(map(repr, texts[:3]))
        raise PreflightError(
            f"{where}: texts look like several labels ({shown}), as other rows hold each of them "
            f"alone. Write them as a|b; if each is one class of that name: "
            f"{setting([('separator', 'bar')])}"
        )


def _is_several(word: str, mark: str, alone: Collection[str]) -> bool:
    parts = [part.strip(" []'\"") for part in word.split(mark)]
    parts = [part for part in parts if part] if mark in "; " else parts
    if len(set(parts)) < 2 or not all(parts):
        return False
    if all(spelled(part) in alone for part in parts):
        return True
    if mark == " ":
        return all(part.isdecimal() for part in parts)
    if mark == ",":
        # `2,4-dinitrophenol` and `N,N-dimethyl...` are one name each.
        ids = all(re.fullmatch(r"0|[1-9]\d*", part) for part in parts)
        least = 2 if ", " in word else 3
        words = all(re.match(rf"[^\W\d]{{{least}}}", part) for part in parts)
        return ids or words or word.startswith("[")
    return mark == ";"


def _joined(word: str, alone: Collection[str]) -> bool:
    """Whether a text is known classes with any sign or word for `and` between them."""
    return any(
        spelled(before) in alone
        and spelled(before) != spelled(after)
        and (spelled(after) in alone or _joined(after, alone))
        for joint in _JOINTS.finditer(word)
        if (before := word[: joint.start()].strip()) and (after := word[joint.end() :].strip())
    )
