"""Values of tables as the texts that CSV files hold."""

from typing import Any

from cellwise.domain.classes import SEPARATOR


def text_of(value: Any) -> str:
    """A value as text: nothing for what is unknown, lists joined, nine digits, true and false."""
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return SEPARATOR.join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.9g}" if isinstance(value, float) else str(value)
