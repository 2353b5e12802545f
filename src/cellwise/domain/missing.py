"""Words by which tables say that nothing is known."""

MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "none", "null", "-", "--", ".", "?"),
        # Formulas of a spreadsheet that came to nothing.
        *("#ref!", "#name?", "#value!", "#div/0!", "#num!", "#null!"),
    )
)


def is_missing(text: str | None) -> bool:
    """Whether a cell of a table says that its value is not known, in any case of letters."""
    return text is None or text.strip().casefold() in MISSING
