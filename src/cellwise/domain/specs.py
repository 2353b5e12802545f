"""How a step declares itself: what it reads and writes, how its results are keyed, its options.

A stage is a folder with `spec.py` (its `SPEC`, read without importing anything heavy) and `step.py`
(its work). A package of somebody else adds one through an entry point of the group
`cellwise.stages`, whose name is the kind of step and whose value the package with both files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from cellwise.errors import BadOption, CellwiseError

Grain = Literal["site", "fold", "table"]
# The shelf of a step that as a whole is one part of its stage.
WHOLE = "*"
_NUMBERS = (int, float, int | None, float | None)


class StepOptions(BaseModel):
    """The options of a step: one model for the recipe check, the documents and the work.

    A field's docstring says what it means; a validator refuses what cannot work. An option whose
    name is a word of Python ends in `_` and has the plain word as its alias.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _check_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` is no number, though Python counts it as one."""
        field_ = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and field_.annotation in _NUMBERS:
            raise BadOption(f"option {field_.alias or info.field_name!r}: {value} is no number.")
        return value

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """The options as a step's work reads them.

        Raises:
            BadOption: One cannot take its value; names the option.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            cause = first.get("ctx", {}).get("error")
            if isinstance(cause, CellwiseError):
                raise cause from error
            where = str(first["loc"][0]).rstrip("_") if first["loc"] else "?"
            raise BadOption(f"option {where!r}: {first['msg']}.") from error

    def check_named(self, named: Mapping[str, "StepOptions"]) -> None:
        """Refuse earlier steps that this one names and cannot work with.

        Args:
            named: The options of those steps by `option: name of the step`; what these name in turn
                as `option: name / option: name`.

        Raises:
            BadOption: Two that do not fit.
        """


def names_of(option: str | Sequence[str]) -> tuple[str, ...]:
    """The steps that an option names: one, several or none."""
    return tuple(name for name in ([option] if isinstance(option, str) else option) if name)


@dataclass(frozen=True, slots=True)
class Noun:
    """Something in a run folder that steps write and read.

    Args:
        name: What messages call it.
        place: Its files below the run folder; `{name}` is the step's own name, `{suffix}` is empty
            for a step that bears its kind's name and `_<name>` else. `*` stands for several files.
        counts: How its content enters keys: `files` by their bytes, or a way of the pipeline's own,
            see `flow.pipeline.inputs`.
        of: The noun that this one is a view of; empty for one that stands for itself.
        per_site: Whether each site has its own, so that a site's key suffices.
        learned: Whether it is taken from the finished run where one is applied to new images.
        loose: Whether that of a site can be read before those of all sites are merged.
    """

    name: str
    place: str = ""
    counts: str = "files"
    of: str = ""
    per_site: bool = False
    learned: bool = False
    loose: bool = False

    @property
    def root(self) -> str:
        """The name of the noun that a step writes for this one to be there."""
        return self.of or self.name


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that a step reads.

    Args:
        noun: What.
        by: Options that name the earlier steps whose noun it is; empty for the one there is.
        optional: Whether the step also works without it; a named step that was passed over is then
            left out of the option.
        many: Whether those options may name several steps.
        under: Its name in the step's key, the noun's own where empty; reads under one name are a
            list there.
        when: An option, or a property of the options, without which this read does not happen.
        late: Whether it came after runs were made: a key takes it in only where a step of the
            recipe writes it, or where it is there and no step's, so that other runs redo nothing.
    """

    noun: Noun
    by: tuple[str, ...] = ()
    optional: bool = False
    many: bool = False
    under: str = ""
    when: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """An option that names something outside the run, which counts by content.

    Args:
        option: The option; a dot leads into a part's own options.
        what: `file` or `folder`.
        recorded: Whether `run.json` lists it among the inputs.
        beside: Endings of files that belong together: where the file has one of them, those of the
            same name with the others count as well.
        apart: Whether its digest stands beside the options in a key (where its path counts too) and
            not in place of the path.
        settings: Options that speak of it only, and go where it goes.
    """

    option: str
    what: Literal["file", "folder"] = "file"
    recorded: bool = True
    beside: tuple[str, ...] = ()
    apart: bool = False
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Former:
    """How a step was keyed before it worked site by site: its finished results are taken over."""

    reads: tuple[Read, ...]
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Renamed:
    """A word of recipes that has a better one by now; both are taken, and runs record the old one.

    Args:
        option: The option, as it is recorded.
        new: The word of today.
        old: The value of the option that it stands for; empty where it stands for the option.
    """

    option: str
    new: str
    old: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """What the flow knows of a step.

    Args:
        version: Raised when results change, so that old run folders redo this step.
        grain: `site` works on batches of sites in worker processes, `fold` trains one model for
            each fold, `table` works on whole tables.
        options: The model of its options.
        reads: What it reads, in order.
        writes: What it writes; the step is complete when all of it is there.
        finish_reads: What only the merge of a site step reads.
        draws: Whether it draws random numbers, so that the seed counts.
        device: Whether results depend on the device in their last digits.
        classes: Whether results depend on the class list and its order.
        fits: Whether it fits something to labels: passed over where a finished run is applied.
        batch: Sites that a worker takes at a time.
        shelves: Option to the package whose parts it names; `*` where the whole step is one part of
            its stage, chosen by `name`, whose options stand beside the step's own.
        contents: Options that name files or folders outside the run.
        ordered: Whether reads enter the key in order and without names.
        headline: Which of its counts `run.json` repeats for the whole run.
        command_words: Options that words of the command line set, such as `--labels`, with the
            further settings that they bring along.
        threads: The option that says how many processor threads it uses; empty for one. The number
            is part of the result; a new run takes fewer than the default on a busy machine.
        late: Options that came after runs were made: where one is not set it stands neither among
            a step's options nor, with what it reads, in its key. Alike a property of the options.
        former: The ways in which its results were keyed before it worked site by site.
        renamed: Words of its options that recipes say differently by now.
        measured: Options whose value `auto` is settled from the cells of a few fields before a run.
    """

    version: int
    grain: Grain
    options: type[StepOptions]
    reads: tuple[Read, ...] = ()
    writes: tuple[Noun, ...] = ()
    finish_reads: tuple[Read, ...] = ()
    draws: bool = False
    device: bool = False
    classes: bool = True
    fits: bool = False
    batch: int = 16
    shelves: Mapping[str, str] = field(default_factory=dict)
    contents: tuple[Content, ...] = ()
    ordered: bool = False
    headline: tuple[str, ...] = ()
    command_words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    threads: str = ""
    late: tuple[str, ...] = ()
    former: tuple[Former, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    measured: tuple[str, ...] = ()
