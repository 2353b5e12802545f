"""A read-only look at whatever is given: a folder of images, or a submission file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwise.app.check_submission import check_submission
from cellwise.domain.steps import Report
from cellwise.errors import UsageError


def check_path(
    path: Path,
    *,
    labels: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    full: bool = False,
    report: Report | None = None,
    against: Path | None = None,
) -> dict[str, Any]:
    """Everything that `cellwise check` shows, as data; see `flow.check.check_folder`.

    Raises:
        PreflightError: A run would be refused, or nothing is there.
        UsageError: `path` is a file, and options of folders are given.
        FormatError: It is a file, and no submission.
    """
    if path.is_file():
        if labels is not None or settings or recipe or full:
            raise UsageError(f"{path} is a file: a submission is checked without any option.")
        return check_submission(path, against=against)
    if against is not None:
        raise UsageError(f"--against goes with a submission file, and {path} is none.")
    from cellwise.flow.check import check_folder

    return check_folder(
        path, labels=labels, settings=settings, recipe=recipe, full=full, report=report
    )
