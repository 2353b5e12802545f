"""The numbers that a network may calculate with, by name."""

from cellwise.errors import BadOption

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def check_precision(step: str, precision: str) -> None:
    """Refuse a precision that does not exist."""
    if precision not in PRECISIONS:
        raise BadOption(f"{step}: precision is one of {', '.join(PRECISIONS)}, not {precision!r}.")
