"""Warnings of the split, those about single classes together."""

import re

# As the split step words it.
_ONE_GROUP = re.compile(
    r"Class (['\"])(.+)\1 lies in one group only \((\d+ fields?)\): "
    r"it cannot be tested out of fold\."
)


def together(warnings: list[str]) -> list[str]:
    """Warnings of single classes that say the same as one sentence, where the first of them was."""
    alone = {words: match for words in warnings if (match := _ONE_GROUP.fullmatch(words))}
    if len(alone) < 2:
        return warnings
    named = ", ".join(f"{match[2]} ({match[3]})" for match in alone.values())
    sentence = (
        f"{len(alone)} classes lie in one group each: {named}. They cannot be tested out of fold."
    )
    first = next(iter(alone))
    return [
        sentence if words == first else words
        for words in warnings
        if words == first or words not in alone
    ]
