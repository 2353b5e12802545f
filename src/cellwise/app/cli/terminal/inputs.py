"""Inputs at the terminal: what lies elsewhere is fetched with a bar, and said on one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cellwise.app.cli.terminal.screen import Progress

if TYPE_CHECKING:
    from cellwise.app.inputs.given import Given


@contextmanager
def inputs_of_words(
    folder: str, *, labels: str | None, masks: str | None, cache: str
) -> Iterator["Given"]:
    """The paths that these words of the command name; see `app.inputs.given`."""
    from cellwise.app.inputs.given import Teller, given_inputs

    progress = Progress("fetch", unit="")

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def report(done: int, total: int, note: str) -> None:
        progress(done, total, note)
        if done == total and total:
            # Whoever comes next draws a bar of its own.
            progress.close()

    try:
        with given_inputs(
            folder, labels=labels, masks=masks, cache=cache, teller=Teller(say, report)
        ) as given:
            progress.close()
            yield given
    finally:
        progress.close()
