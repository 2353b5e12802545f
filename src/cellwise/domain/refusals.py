"""What a step refuses before any work, and what it is shown of a folder to decide that."""

from dataclasses import dataclass

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.records import Site


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a run would come to nothing.

    Args:
        reason: What is wrong, a sentence.
        remedy: What to do about it, a sentence that may hold words to paste.
        code: A short fixed word for programs, such as `channel_missing`.
    """

    reason: str
    remedy: str = ""
    code: str = "refused"

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """An image folder as it was read, without pixels.

    Args:
        sites: The fields that will be worked on.
        channels: The channels of the folder.
        classes: The class list; None where there are no labels.
        labels_file: Where the labels come from; empty where none were given.
    """

    sites: tuple[Site, ...]
    channels: tuple[Channel, ...]
    classes: ClassList | None = None
    labels_file: str = ""
