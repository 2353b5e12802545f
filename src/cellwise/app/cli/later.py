"""Verbs whose parts come with a later release: they say so and end with 2."""

from collections.abc import Callable

import typer

from cellwise.errors import UsageError

_LATER = {
    "fetch": "public data sets",
    "ensemble": "several runs combined into one",
}


def register(app: typer.Typer) -> None:
    """Add the verbs; they take any words, so that the answer is always the same."""
    for verb, what in _LATER.items():
        app.command(
            verb,
            help=f"Not in this release: {what}.",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_refuse(verb, what))


def _refuse(verb: str, what: str) -> Callable[[], None]:
    def answer() -> None:
        raise UsageError(f"`cellwise {verb}` ({what}) comes with a later release.")

    return answer
