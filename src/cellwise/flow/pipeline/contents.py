"""Files and folders outside the run that options name: what they count by, now or on record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwise.domain.specs import Content
from cellwise.flow.pipeline.files.listed import listing_digest
from cellwise.flow.pipeline.keys import combine, file_digest
from cellwise.flow.recipe.resolve import Step


def content_path(content: Content, step: Step) -> Path | None:
    """The file or folder outside the run that an option names; None for none."""
    value: Any = step.options
    for word in content.option.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return Path(value) if isinstance(value, str) and value else None


def content_digest(
    content: Content,
    step: Step,
    *,
    earlier: Mapping[str, Any],
    folders: Mapping[str, str] | None = None,
) -> str:
    """What such an option counts by: the content now, or on record where it is gone since.

    Args:
        content: The option.
        step: Its step.
        earlier: The record of the run before.
        folders: Digests of folders that were looked at already, by their path.
    """
    path = content_path(content, step)
    if path is None:
        return ""
    if content.what == "folder":
        return (folders or {}).get(str(path)) or listing_digest(path)
    return files_digest(path, content) or earlier_digest(earlier, step, content)


def files_digest(path: Path, content: Content) -> str:
    """The digest of a file and of those that belong to it; empty where one of them is gone."""
    others = [path.with_suffix(ending) for ending in content.beside if path.suffix != ending]
    if path.suffix not in content.beside or not others:
        return file_digest(path)
    digests = [file_digest(other) for other in (path, *others)]
    return combine(digests) if all(digests) else ""


def earlier_digest(earlier: Mapping[str, Any], step: Step, content: Content) -> str:
    """The digest of this very file as the run before recorded it; empty for none."""
    known = _recorded(earlier, step, content)
    return known["digest"] if known["path"] == str(content_path(content, step)) else ""


def held_digest(earlier: Mapping[str, Any], step: Step, content: Content) -> str:
    """The digest of the file that this option named in the run before; empty for none."""
    return _recorded(earlier, step, content)["digest"]


def _recorded(earlier: Mapping[str, Any], step: Step, content: Content) -> dict[str, str]:
    inputs = earlier.get("inputs") or {}
    files = inputs.get("files") or {}
    # A run made before files were listed by step names its labels only.
    known = files.get(f"{step.title}: {content.option}") or {
        "path": inputs.get(content.option),
        "digest": inputs.get(f"{content.option}_sha256"),
    }
    return {name: str(value or "") for name, value in known.items()}
