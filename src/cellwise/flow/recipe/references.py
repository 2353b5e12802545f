"""What steps read of earlier steps: whether it is there, whether it fits, who writes it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cellwise.domain.nouns import PROVIDED
from cellwise.domain.specs import Noun, Read
from cellwise.errors import BadOption
from cellwise.flow.recipe.kinds import spec_of, writers_of
from cellwise.registry import did_you_mean

if TYPE_CHECKING:
    from cellwise.flow.recipe.resolve import Step

_PROVIDED = {noun.name for noun in PROVIDED}


def check_references(steps: "tuple[Step, ...]") -> None:
    """Refuse reads of what no step before writes, and one thing written twice.

    Raises:
        BadOption: With both steps named.
    """
    before: list[Step] = []
    reached: dict[tuple[str, str], dict[str, Any]] = {}
    written: dict[str, Step] = {}
    nouns: dict[str, tuple[Noun, Step]] = {}
    for step in steps:
        named: dict[str, Any] = {}
        for read in (*step.spec.reads, *step.spec.finish_reads):
            named.update(_check_read(step, read, before, reached))
        reached[step.kind, step.name] = named
        try:
            step.checked.check_named(named)
        except BadOption as error:
            raise BadOption(f"Step {step.name!r}: {error}") from error
        for noun in step.spec.writes:
            place = place_of(noun, step)
            if place in written:
                raise BadOption(
                    f"Steps {written[place].title!r} and {step.title!r} both write {place}; leave "
                    "one out."
                )
            other = nouns.setdefault(noun.name, (noun, step))
            if other[0] != noun:
                # Whoever reads it would take the keys of one and the files of the other.
                raise BadOption(
                    f"Steps {other[1].title!r} and {step.title!r} both write {noun.name!r}, in "
                    f"{other[0].place} and {noun.place}; give one of them another name."
                )
            written[place] = step
        before.append(step)


def named_steps(step: "Step", read: Read) -> Iterator[tuple[str, str]]:
    """Option and name of every earlier step that a read names; none for a read that names none.

    Raises:
        BadOption: The option holds no names.
    """
    for option in read.by:
        value = step.options.get(option)
        names = [value] if isinstance(value, str) else value or []
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            kind = " or ".join(writers_of(read.noun.root))
            raise BadOption(f"Step {step.name!r}: {option} names {kind} steps, not {value!r}.")
        yield from ((option, name) for name in names if name)


def place_of(noun: Noun, step: "Step") -> str:
    """The files of a noun that this step writes, below the run folder."""
    return named_place(noun, step.name, kind=step.kind)


def named_place(noun: Noun, name: str, *, kind: str) -> str:
    """The files of a noun that the step of this name writes."""
    suffix = "" if name == kind else f"_{name}"
    return noun.place.replace("{name}", name).replace("{suffix}", suffix)


def writer(noun: Noun, steps: "tuple[Step, ...] | list[Step]", name: str = "") -> "Step | None":
    """The step that writes a noun (that of this name where one is given); the last one before."""
    fitting = [s for s in steps if noun.root in {one.name for one in s.spec.writes}]
    chosen = [s for s in fitting if not name or s.name == name]
    return chosen[-1] if chosen else None


def uses(step: "Step", read: Read) -> bool:
    """Whether the step's options make this read happen."""
    if isinstance(getattr(type(step.checked), read.when, None), property):
        return bool(getattr(step.checked, read.when))
    return not read.when or bool(step.options.get(read.when))


def _check_read(
    step: "Step",
    read: Read,
    before: "list[Step]",
    reached: Mapping[tuple[str, str], Mapping[str, Any]],
) -> Mapping[str, Any]:
    kinds = writers_of(read.noun.root)
    if not kinds and read.noun.name not in _PROVIDED:
        raise BadOption(
            f"Step {step.title!r} reads {read.noun.root!r}, which no step of any kind writes."
        )
    if read.by:
        return dict(_check_named(step, read, before, reached))
    if read.optional or read.noun.name in _PROVIDED or not uses(step, read):
        return {}
    if writer(read.noun, before) is None:
        raise BadOption(
            f"Step {step.title!r} reads {read.noun.root!r}, and no step before it writes that. "
            f"Put a {' or '.join(map(repr, kinds))} step before it."
        )
    return {}


def _check_named(
    step: "Step",
    read: Read,
    before: "list[Step]",
    reached: Mapping[tuple[str, str], Mapping[str, Any]],
) -> Iterator[tuple[str, Any]]:
    for option, name in named_steps(step, read):
        found = writer(read.noun, before, name)
        if found is None:
            kinds = writers_of(read.noun.root)
            known = [s.name for s in before if s.kind in kinds]
            raise BadOption(
                f"Step {step.name!r}: {option}: {name!r} is no {' or '.join(kinds)} step before it."
                f"{did_you_mean(name, known)}"
            )
        yield f"{option}: {name}", found.checked
        # What that step names itself: a decision asks which folds its scores' models left out.
        for inner, options in reached[found.kind, found.name].items():
            yield f"{option}: {name} / {inner}", options


def references(kind: str) -> dict[str, tuple[str, ...]]:
    """What steps of a kind name of earlier ones: option to the kinds of which one comes before."""
    return {
        option: tuple(writers_of(read.noun.root))
        for read in spec_of(kind).reads
        for option in read.by
    }
