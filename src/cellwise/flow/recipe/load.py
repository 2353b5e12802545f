"""A recipe file becomes a list of raw steps; one `base:` is unrolled, nothing is checked yet."""

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cellwise.errors import BadOption, UnknownName
from cellwise.registry import did_you_mean

FORMAT = 1
_KEYS = {"format", "base", "world", "set", "steps"}


@dataclass(frozen=True, slots=True)
class RawStep:
    """One entry of `steps:` as written: its kind and its options."""

    kind: str
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """The step's own name: `as:` where given, else its kind."""
        return str(self.options.get("as", self.kind))


@dataclass(frozen=True, slots=True)
class RawRecipe:
    """A recipe as written: its name, head comment, steps and overrides (dotted path to value).

    `of_run` says that nobody wrote it: it comes from the record of a run.
    """

    name: str
    comment: str
    steps: tuple[RawStep, ...]
    overrides: dict[str, Any]
    of_run: bool = False


def recipe_names() -> list[str]:
    """The recipes that come with cellwise, sorted."""
    folder = importlib.resources.files("cellwise") / "recipes"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def load_recipe(name_or_file: str) -> RawRecipe:
    """Read a recipe by name, or from a YAML file of the user's.

    Raises:
        UnknownName: No recipe or file of this name.
        BadOption: The file is not a recipe of format 1.
    """
    text = _text(name_or_file)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadOption(f"Recipe {name_or_file}: not readable as YAML: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadOption(f"Recipe {name_or_file}: the first line says `format: {FORMAT}`.")
    unknown = sorted(set(content) - _KEYS)
    if unknown:
        raise BadOption(
            f"Recipe {name_or_file} has no key {unknown[0]!r}."
            f"{did_you_mean(str(unknown[0]), sorted(_KEYS))}"
        )
    overrides = dict(content.get("set") or {})
    name = Path(name_or_file).stem
    if "base" in content:
        return _on_base(name, text, content, overrides)
    steps = content.get("steps")
    if not isinstance(steps, list) or not steps:
        raise BadOption(f"Recipe {name_or_file} lists its steps under `steps:`.")
    return RawRecipe(name, _head(text), tuple(_step(entry) for entry in steps), overrides)


def _on_base(name: str, text: str, content: dict[str, Any], overrides: dict[str, Any]) -> RawRecipe:
    if "steps" in content:
        raise BadOption(f"Recipe {name}: either `base:` with `set:`, or `steps:`, not both.")
    base = load_recipe(str(content["base"]))
    return RawRecipe(name, _head(text), base.steps, {**base.overrides, **overrides})


def _step(entry: Any) -> RawStep:
    """`segment: watershed`, `segment: {name: watershed, ...}` or `report:` become one shape."""
    if isinstance(entry, str):
        return RawStep(entry, {})
    if not isinstance(entry, dict) or len(entry) != 1:
        raise BadOption(f"A step is written as `- kind: {{options}}`, not {entry!r}.")
    ((kind, value),) = entry.items()
    if value is None:
        return RawStep(str(kind), {})
    if isinstance(value, str):
        return RawStep(str(kind), {"name": value})
    if not isinstance(value, dict):
        raise BadOption(f"Step {kind!r}: options are written as {{name: value}}, not {value!r}.")
    return RawStep(str(kind), {str(key): option for key, option in value.items()})


def _text(name_or_file: str) -> str:
    path = Path(name_or_file)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise UnknownName(f"There is no recipe file {name_or_file}.")
        return path.read_text(encoding="utf-8")
    known = recipe_names()
    if name_or_file not in known:
        raise UnknownName(
            f"No recipe is called {name_or_file!r}.{did_you_mean(name_or_file, known)} "
            f"There is: {', '.join(known)}. A file of your own ends in .yaml."
        )
    file = importlib.resources.files("cellwise") / "recipes" / f"{name_or_file}.yaml"
    return file.read_text(encoding="utf-8")


def _head(text: str) -> str:
    """The comment lines at the top of the file."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)
