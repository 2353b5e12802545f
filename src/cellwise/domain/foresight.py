"""What a step can say of a folder before any work: what it refuses, warns of and finds enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.records import Site
from cellwise.errors import InputError


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a run would come to nothing.

    Args:
        reason: What is wrong, a sentence.
        remedy: What to do about it, a sentence that may hold words to paste.
        code: A short fixed word for programs, such as `channel_missing`.
        settings: Settings of which any one may settle it, the likeliest first, such as
            `read.roles.w1=nucleus`.
    """

    reason: str
    remedy: str = ""
    code: str = "refused"
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often a class is labelled, and whether that suffices.

    Args:
        name: The class.
        fields: Labelled fields that carry it.
        groups: Groups of fields that stay together (a plate, a well, a field alone) with it.
        others: Such groups that hold a field without it.
        needed: Groups of either that it takes to learn the class and to test it on fields not
            learned from.
    """

    name: str
    fields: int
    groups: int
    others: int
    needed: int

    @property
    def enough(self) -> bool:
        """Whether there are as many groups as it takes, with the class and without it."""
        return min(self.groups, self.others) >= self.needed


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a step says of a folder before any work.

    Args:
        refusals: Why a run would come to nothing.
        warnings: What a person should know and may accept, sentences.
        classes: The classes that it learns or tests.
        groups: Groups of labelled fields that stay together; 0 from steps that make none.
        folds: How many folds they are shared out to; 0 from steps that make none.
        kept: Bytes on disk by what is kept there; what several steps share has one name.
        passing: Bytes on disk that the step frees when it is done.
        per_cell: Bytes on disk for each cell.
        aside: Why fields will be set aside, for each of them; `path` is the id of the field.
    """

    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    classes: tuple[ClassCount, ...] = ()
    groups: int = 0
    folds: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    passing: int = 0
    per_cell: int = 0
    aside: tuple[InputError, ...] = ()

    @property
    def disk(self) -> int:
        """Bytes on disk at most, without those of cells."""
        return sum(self.kept.values()) + self.passing


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """An image folder as it was read, without pixels.

    Args:
        sites: The fields that will be worked on.
        channels: The channels of the folder.
        classes: The class list; None where there are no labels.
        labels_file: Where the labels come from; empty where none were given.
        groups: Groups of labelled fields, as an earlier step foresees; 0 where none does.
        folds: And the folds that it makes of them.
    """

    sites: tuple[Site, ...]
    channels: tuple[Channel, ...]
    classes: ClassList | None = None
    labels_file: str = ""
    groups: int = 0
    folds: int = 0
