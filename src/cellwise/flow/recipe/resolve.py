"""A raw recipe and `--set` words become resolved steps: every option with its value and origin.

All names and options are checked here against the parts' own signatures, before any work.
"""

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from cellwise.domain.channels import ROLES
from cellwise.domain.specs import WHOLE, StepOptions, StepSpec
from cellwise.errors import BadOption, UnknownName, UsageError
from cellwise.flow.recipe.kinds import defaults as own_defaults
from cellwise.flow.recipe.kinds import spec_of
from cellwise.flow.recipe.load import RawRecipe, RawStep
from cellwise.flow.recipe.references import check_references
from cellwise.flow.recipe.words import notices, part_name, recorded
from cellwise.registry import Registry, check_options, did_you_mean, split_spec

_NAME = re.compile(r"\w(?:[\w .+=-]*[\w])?")


@dataclass(frozen=True, slots=True)
class Step:
    """One resolved step.

    `options` are complete, `origins` says where each value came from; the step is passed over in a
    run whose channels lack one of the roles in `needs`. `checked` are the options as its work reads
    them.
    """

    kind: str
    name: str
    options: dict[str, Any]
    origins: dict[str, str]
    spec: StepSpec = field(repr=False)
    checked: StepOptions = field(repr=False)
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the screen calls it: several kinds may share a name."""
        return self.kind if self.name == self.kind else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checked recipe; `notices` are lines for whoever wrote old words into it."""

    name: str
    comment: str
    steps: tuple[Step, ...]
    notices: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A short hash of all resolved options."""
        steps = [[s.kind, s.name, s.options, s.needs] for s in self.steps]
        content = json.dumps(steps, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def of_kind(self, kind: str) -> list[Step]:
        """The steps of one kind, in order."""
        return [step for step in self.steps if step.kind == kind]


def parse_setting(text: str) -> tuple[str, Any]:
    """`train.epochs=3` as path and value; the value is read as YAML.

    Raises:
        UsageError: No `=`, or no step named before the first dot.
    """
    path, separator, value = text.partition("=")
    if not separator or "." not in path:
        raise UsageError(f"--set {text!r}: write it as step.option=value, such as train.epochs=3.")
    try:
        return path.strip(), yaml.safe_load(value) if value.strip() else ""
    except yaml.YAMLError as error:
        raise UsageError(f"--set {text!r}: the value is not readable: {error}") from error


def resolve(raw: RawRecipe, settings: Mapping[str, Any] | None = None) -> Recipe:
    """Check a recipe and fill in every default.

    Args:
        raw: The recipe as written.
        settings: Dotted path to value, stronger than the recipe.

    Raises:
        BadOption: An unknown option, or one that names a step which does not come before.
        UnknownName: An unknown kind of step, part, or step name in a setting.
    """
    said: list[str] = []
    steps = [_as_recorded(step, said) for step in raw.steps]
    if raw.of_run:
        said.clear()
    origins: list[dict[str, str]] = [dict.fromkeys(step.options, "recipe") for step in steps]
    for source, entries in ((raw.overrides, "recipe"), (settings or {}, "command line")):
        for path, value in source.items():
            _override(steps, origins, path, value, entries, said)
    _check_names(steps)
    resolved = tuple(_complete(step, origin) for step, origin in zip(steps, origins, strict=True))
    check_references(resolved)
    return Recipe(raw.name, raw.comment, resolved, tuple(dict.fromkeys(said)))


def _as_recorded(step: RawStep, said: list[str]) -> RawStep:
    """The step in the words that runs record; a line on each old one that was written."""
    spec = spec_of(step.kind)
    said += notices(spec, step.kind, step.options)
    return RawStep(step.kind, recorded(spec, step.options))


def _check_names(steps: list[RawStep]) -> None:
    seen: set[tuple[str, str]] = set()
    for step in steps:
        _check_name(step)
        if (step.kind, step.name) in seen:
            raise BadOption(f"Two {step.kind} steps are called {step.name!r}; name one with `as:`.")
        seen.add((step.kind, step.name))


def _check_name(step: RawStep) -> None:
    """A step's name is part of file names: it must not lead out of the run folder."""
    given = step.options.get("as", step.kind)
    plain = isinstance(given, int) and not isinstance(given, bool)
    if plain or (isinstance(given, str) and _NAME.fullmatch(given) and len(given.encode()) <= 100):
        return
    raise BadOption(
        f"Step {step.kind!r}: `as: {given}` is no name for files. Write letters, digits, '_', '-', "
        "'.' and spaces, at most 100, a letter or digit first and last."
    )


def _override(
    steps: list[RawStep],
    origins: list[dict[str, str]],
    path: str,
    value: Any,
    origin: str,
    said: list[str],
) -> None:
    target, *keys = path.split(".")
    chosen = [i for i, step in enumerate(steps) if target == step.name or target == step.kind]
    named = [i for i in chosen if steps[i].name == target and steps[i].kind != target]
    # Steps of several kinds may share a name: the setting is for those that have the option.
    fitting = [i for i in named if _has_option(steps[i], keys[0])]
    chosen = fitting or named or chosen
    if not chosen:
        known = sorted({word for step in steps for word in (step.kind, step.name)})
        raise UnknownName(
            f"The setting {path!r} names no step of this recipe.{did_you_mean(target, known)} "
            f"There is: {', '.join(known)}."
        )
    head, *inner = keys
    for index in chosen:
        options = steps[index].options
        written = RawStep(steps[index].kind, {head: None if inner else value})
        ((first, plain_value),) = _as_recorded(written, said).options.items()
        keys, new = [first, *inner], value if inner else plain_value
        if len(keys) > 1 and keys[0] not in options:
            # `train.net.width=8` speaks of the net that the step takes by itself.
            options = {**options, keys[0]: _default(steps[index].kind, keys[0])}
        if keys == ["name"] and WHOLE in spec_of(steps[index].kind).shelves:
            options = _without_part(steps[index], options, origins[index], new)
        options = _placed(options, keys, new)
        steps[index] = RawStep(steps[index].kind, options)
        origins[index] = {**origins[index], keys[0]: origin}


def _without_part(
    step: RawStep, options: dict[str, Any], origin: dict[str, str], name: str
) -> dict[str, Any]:
    """The options without those that a recipe gives to the part whose place another one takes."""
    if options.get("name", _default(step.kind, "name")) == name:
        return options
    own = {*_own_names(spec_of(step.kind)), "as", "needs"}
    return {o: v for o, v in options.items() if o in own or origin.get(o) == "command line"}


def _has_option(step: RawStep, option: str) -> bool:
    spec = spec_of(step.kind)
    return next(iter(recorded(spec, {option: None}))) in _own_names(spec)


def _placed(options: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """The options with `value` at the dotted place; a part written as a name becomes a mapping."""
    head, *rest = keys
    if not rest:
        return {**options, head: value}
    inner = options.get(head) or {}
    if isinstance(inner, str):
        inner = {"name": inner}
    if not isinstance(inner, dict):
        raise BadOption(f"The option {head!r} has no inner option {rest[0]!r}.")
    return {**options, head: _placed(inner, rest, value)}


def _complete(step: RawStep, origins: dict[str, str]) -> Step:
    spec = spec_of(step.kind)
    given = {key: value for key, value in step.options.items() if key not in ("as", "needs")}
    needs = _roles(step)
    what = f"Step {step.name!r}" if step.name == step.kind else f"Step {step.name!r} ({step.kind})"
    defaults = own_defaults(spec)
    own = _own_names(spec)
    whole = spec.shelves.get(WHOLE)
    if whole is not None:
        # The step is one part of its stage: `name` chooses it, the other options are its own.
        part_options = {k: v for k, v in given.items() if k not in own}
        named = part_name(what, spec, given.get("name") or defaults["name"])
        part = Registry(step.kind, whole).page(named)
        check_options(f"{what}, part {part.name!r}", part, part_options)
        defaults = {
            **{o.name: _literal(o.default) for o in part.options if not o.required},
            **defaults,
        }
    _check_own(what, spec, {k: v for k, v in given.items() if whole is None or k in own})
    options = {k: v for k, v in {**defaults, **given}.items() if v or k not in spec.late}
    for shelf, package in spec.shelves.items():
        if shelf != WHOLE:
            _check_shelf(what, shelf, package, options.get(shelf))
    said = {key: origins.get(key, "default") for key in options}
    return Step(step.kind, step.name, options, said, spec, _checked(step, spec, options), needs)


def _checked(step: RawStep, spec: StepSpec, options: dict[str, Any]) -> StepOptions:
    try:
        return spec.options.of(options)
    except BadOption as error:
        # Several steps may be of one kind: say which.
        text = str(error)
        link = "," if text.startswith("option ") else ":"
        if link == ":" and step.name in text:
            raise
        raise BadOption(f"Step {step.name!r}{link} {text}") from error


def _own_names(spec: StepSpec) -> list[str]:
    return [field.alias or name for name, field in spec.options.model_fields.items()]


def _roles(step: RawStep) -> tuple[str, ...]:
    needs = step.options.get("needs", [])
    roles = needs if isinstance(needs, list) else [needs]
    for role in roles:
        if role not in ROLES:
            raise BadOption(
                f"Step {step.name!r}: needs names roles of channels, not {role!r}."
                f"{did_you_mean(str(role), list(ROLES))} There is: {', '.join(ROLES)}."
            )
    return tuple(roles)


def _check_own(what: str, spec: StepSpec, options: dict[str, Any]) -> None:
    """Options of the step itself."""
    known = _own_names(spec)
    for option in options:
        if option not in known:
            raise BadOption(f"{what} has no option {option!r}.{did_you_mean(option, known)}")
    for name, field_ in spec.options.model_fields.items():
        if field_.is_required() and (field_.alias or name) not in options:
            raise BadOption(f"{what} needs the option {(field_.alias or name)!r}.")


def _check_shelf(what: str, option: str, package: str, value: Any) -> None:
    if value is None or value == "":
        return
    kind = package.rsplit(".", 1)[-1]
    for spec in value if isinstance(value, list) else [value]:
        try:
            name, inner = split_spec(spec)
        except BadOption as error:
            raise BadOption(f"{what}, option {option!r}: {error}") from error
        try:
            registry = Registry(option, package)
            registry.check(spec)
        except UsageError as error:
            raise type(error)(f"{what}: {error}") from error
        if not name:
            raise BadOption(f"{what}: {option} names one of {kind}.")
        # A part may be made of others: a network of a head, a sum of losses.
        for shelf, shelf_package in registry.page(name).shelves.items():
            _check_shelf(what, shelf, shelf_package, inner.get(shelf))


def _default(kind: str, name: str) -> Any:
    return own_defaults(spec_of(kind)).get(name, "")


def _literal(text: str) -> Any:
    """The value of a default as written in the signature; tuples become lists as in YAML."""
    value = ast.literal_eval(text)
    return list(value) if isinstance(value, tuple) else value
