"""Names made short enough to stand beside what is drawn."""

from collections.abc import Sequence


def shorten(words: str, most: int) -> str:
    """The words, with an ellipsis where they are longer than `most` characters."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def told_apart(names: Sequence[str], most: int) -> list[str]:
    """Names without the last word where all share it, the middle left out of longer ones."""
    cut = [name.rsplit(" ", 1) for name in names]
    shared = len(names) > 1 and all(len(one) > 1 for one in cut)
    if shared and len({one[-1] for one in cut}) == 1 and len({one[0] for one in cut}) == len(names):
        names = [one[0] for one in cut]
    half = most // 2
    return [
        name if len(name) <= most else f"{name[: most - half - 1]}…{name[-half:]}" for name in names
    ]
