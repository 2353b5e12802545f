"""Class lists, the label grammar `a|b|c`, and the exclusive Negative."""

from dataclasses import dataclass

NEGATIVE = "Negative"
SEPARATOR = "|"
# Labelled fields with a class, and without it, below which the report passes no judgement on it.
FEWEST_JUDGED = 4


@dataclass(frozen=True, slots=True)
class ClassList:
    """The classes of a data set, in order.

    Args:
        names: Class names, verbatim as they appear in outputs.
        negative: The class that excludes all others, or None. No network learns it: its
            probability follows from those of the others, as one minus the largest where nobody says
            otherwise.
    """

    names: tuple[str, ...]
    negative: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"Class names occur twice: {sorted(self.names)}")
        if any(not name or SEPARATOR in name for name in self.names):
            raise ValueError("A class name is not empty and holds no '|'.")
        if self.negative is not None and self.negative not in self.names:
            raise ValueError(f"The negative class {self.negative!r} is not in the list.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def positive(self) -> tuple[str, ...]:
        """The classes that are learned: all but the negative one."""
        return tuple(name for name in self.names if name != self.negative)

    def parse(self, text: str | None) -> tuple[str, ...] | None:
        """Names for a label text; None for an empty one (unlabelled).

        Both names and indices into the list are accepted, indices only where no class is itself
        called by a number; order in the text does not matter.

        Raises:
            ValueError: An unknown class, or the negative class together with another.
        """
        words = split_labels(text)
        if words is None:
            return None
        found = {self._name(word) for word in words}
        if self.negative in found and len(found) > 1:
            raise ValueError(f"{text!r}: {self.negative} excludes every other class.")
        return tuple(name for name in self.names if name in found)

    def knows(self, word: str) -> bool:
        """Whether a word is a class name, or the index of one."""
        if word in self.names:
            return True
        numbered = any(name.isdecimal() for name in self.names)
        return not numbered and word.isdecimal() and int(word) < len(self.names)

    def _name(self, word: str) -> str:
        if not self.knows(word):
            raise ValueError(f"No class is called {word!r}. Classes: {', '.join(self.names)}.")
        return word if word in self.names else self.names[int(word)]


def split_labels(text: str | None) -> tuple[str, ...] | None:
    """The words of `a|b|c`, stripped; None where there is none (unlabelled)."""
    words = tuple(w for w in (part.strip() for part in (text or "").split(SEPARATOR)) if w)
    return words or None


def classes_from_labels(texts: list[str | None]) -> ClassList:
    """The class list that a labels column declares: its words, sorted, Negative last.

    A word that reads "negative" in any case is the exclusive negative class, kept as written.
    """
    words = {word for text in texts for word in (split_labels(text) or ())}
    negatives = sorted(word for word in words if word.lower() == NEGATIVE.lower())
    if len(negatives) > 1:
        raise ValueError(f"The negative class is written in several ways: {negatives}.")
    rest = sorted(words - set(negatives))
    return ClassList((*rest, *negatives), negatives[0] if negatives else None)
