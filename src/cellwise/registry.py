"""Parts are found by file name: `losses/focal.py` is what a recipe calls `focal`.

A folder of parts is opened by `Registry("loss", "cellwise.parts.losses")`. Names and
options are read from the files' syntax trees, so a recipe is checked without importing torch; the
file itself is imported only when the part is built. Other packages add parts through entry points
of the group named after the folder; a name that is taken is refused.
"""

import ast
import difflib
import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache, lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise.errors import BadOption, BrokenContract, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

# longer than 300 lines because names, pages and building are one idea
_RESERVED = {"spec", "step"}
OURS = "cellwise."
NO_DEFAULT = "(required)"
_PLAIN: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a part: its name, the text of its type and its default as source text."""

    name: str
    type: str
    default: str

    @property
    def required(self) -> bool:
        """Whether a recipe must give it."""
        return self.default == NO_DEFAULT


@dataclass(frozen=True, slots=True)
class PartPage:
    """What a part says of itself without being imported."""

    name: str
    summary: str
    doc: str
    options: tuple[Option, ...]
    needs: tuple[str, ...]
    shelves: dict[str, str]


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts in one folder; `kind` is the noun used in messages, `package` the dotted folder."""

    kind: str
    package: str

    def names(self) -> list[str]:
        """All part names, sorted; nothing is imported."""
        return sorted({*_own_files(self.package), *self._foreign()})

    def part_names(self) -> list[str]:
        """The names that have a `build`: a stage's folder also holds files that are no parts."""
        return [name for name in self.names() if _has_build(self._source(name))]

    def page(self, name: str) -> PartPage:
        """The part's docstring and options, read from its source.

        Raises:
            UnknownName: No such part; the message names the nearest.
        """
        return read_page(name, self._source(name))

    def build(self, spec: "str | dict[str, Any]") -> Any:
        """Import the part and call its `build` with the options of `spec`.

        Args:
            spec: A name, or `{"name": ..., option: value}`.

        Raises:
            UnknownName: No part of this name.
            BadOption: An unknown option, or a value of the wrong type.
            BrokenContract: It gives nothing.
        """
        name, options = split_spec(spec)
        self.check(spec)
        module = importlib.import_module(self._module(name))
        return call_build(f"{self.kind} {name!r}", module.build, options)

    def check(self, spec: "str | dict[str, Any]") -> None:
        """Refuse unknown names and options without importing the part.

        Raises:
            UnknownName: No part of this name.
            BadOption: An unknown option.
            BrokenContract: A package offers it, but there is no such file, or no part in it.
        """
        name, options = split_spec(spec)
        check_options(f"{self.kind} {name!r}", self.page(name), options)

    def _module(self, name: str) -> str:
        if name in _own_files(self.package):
            return f"{self.package}.{name}"
        foreign = self._foreign()
        if name in foreign:
            return foreign[name]
        known = self.names()
        raise UnknownName(
            f"No {self.kind} is called {name!r}.{did_you_mean(name, known)} "
            f"There is: {', '.join(known)}."
        )

    def _source(self, name: str) -> Path:
        module = self._module(name)
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None or found.origin is None:
            rule = "its entry point names a module"
            raise BrokenContract(f"{self.kind} {name!r}", rule, f"{module!r} cannot be found")
        return Path(found.origin)

    def _foreign(self) -> dict[str, str]:
        points = offered(self.package)
        own = _own_files(self.package)
        for point in points:
            if point.name in own:
                raise BadOption(
                    f"A package offers a {self.kind} called {point.name!r}, a name already taken."
                )
        return {point.name: point.value for point in points}


def offered(group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    """What installed packages offer under a group of entry points."""
    return tuple(point for point in _entry_points(tuple(sys.path)) if point.group == group)


# Looking through all installed packages takes milliseconds, and a recipe asks a thousand times.
@lru_cache(maxsize=1)
def _entry_points(_path: tuple[str, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    found = importlib.metadata.entry_points()
    return tuple(
        point
        for group in found.groups
        if group.startswith(OURS)
        for point in found.select(group=group)
    )


def call_build(what: str, build: "Callable[..., Any]", options: "dict[str, Any]") -> Any:
    """What `build` makes of options whose values have the types it asks for.

    Raises:
        BadOption: A value of the wrong type, with `what` as the subject of the message.
        BrokenContract: It gives nothing.
    """
    from pydantic import ConfigDict, ValidationError, validate_call

    strict = validate_call(config=ConfigDict(arbitrary_types_allowed=True))
    try:
        made = strict(build)(**options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadOption(f"{what}, option {where!r}: {first['msg']}.") from error
    if made is None:
        raise BrokenContract(what, "build gives the component", "it gives nothing; return it")
    return made


def read_page(name: str, source: Path) -> PartPage:
    """What the file at `source` says of itself: docstring, options of its `build`, its needs."""
    return _read_page(name, source)


def check_options(what: str, page: PartPage, options: "dict[str, Any]") -> None:
    """Refuse options that `page` does not list, values of a wrong plain type, what is missing.

    Raises:
        BadOption: With `what` as the subject of the message.
    """
    types = {option.name: option.type for option in page.options}
    for option, value in options.items():
        if option not in types:
            raise BadOption(f"{what} has no option {option!r}.{did_you_mean(option, list(types))}")
        if fault := _type_fault(types[option], value):
            raise BadOption(f"{what}, option {option!r}: {fault}.")
    missing = [o.name for o in page.options if o.required and o.name not in options]
    if missing:
        raise BadOption(f"{what} needs the option {missing[0]!r}.")


def _type_fault(text: str, value: Any) -> str:
    """What is wrong with a value for a plain type; others are checked when the part is built."""
    from pydantic import TypeAdapter, ValidationError

    types = _plain_types(ast.parse(text, mode="eval").body)
    if types and isinstance(value, bool) and not {bool, str} & set(types):
        return f"{value} is no number"
    wanted = reduce(or_, types) if types else Any
    try:
        TypeAdapter(wanted, config={"allow_inf_nan": False}).validate_python(value)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    return ""


def _plain_types(node: ast.expr) -> list[Any]:
    """The types that an annotation allows; none where it says more than plain ones."""
    match node:
        case ast.Name(id=word) if word in _PLAIN:
            return [_PLAIN[word]]
        case ast.Constant(value=None):
            return [type(None)]
        case ast.BinOp(left=one, right=other):
            sides = [_plain_types(one), _plain_types(other)]
            return [*sides[0], *sides[1]] if all(sides) else []
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *_])):
            return _plain_types(first)
    return []


def split_spec(spec: "str | dict[str, Any]") -> tuple[str, dict[str, Any]]:
    """Name and options of a spec written as a name or as a mapping with `name`."""
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise BadOption(f"A part is written as a name or as {{name: ..., option: value}}: {spec!r}")
    options = dict(spec)
    name: str = options.pop("name")
    return name, options


def did_you_mean(word: str, known: list[str]) -> str:
    """` Did you mean 'x'?` for the nearest known word, else an empty text."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


@cache
def _own_files(package: str) -> tuple[str, ...]:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UnknownName(f"No package is called {package!r}.")
    folders = [Path(folder) for folder in found.submodule_search_locations]
    # A file or sub-folder that builds nothing is what parts are made of, or a folder of parts.
    files = [file for folder in folders for file in folder.glob("*.py") if _has_build(file)]
    names = {file.stem for file in files}
    packages = (file for folder in folders for file in folder.glob("*/__init__.py"))
    names |= {file.parent.name for file in packages if _has_build(file)}
    return tuple(sorted(name for name in names - _RESERVED if not name.startswith("_")))


@cache
def _has_build(source: Path) -> bool:
    tree = _tree(source)
    return any(isinstance(node, ast.FunctionDef) and node.name == "build" for node in tree.body)


@cache
def _read_page(name: str, source: Path) -> PartPage:
    tree = _tree(source)
    doc = ast.get_docstring(tree) or ""
    build = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "build"), None
    )
    if build is None:
        raise UnknownName(f"{source.name} has no function 'build', so it is not a part.")
    needs = _constant(tree, "NEEDS", ())
    shelves = _constant(tree, "SHELVES", {})
    return PartPage(name, doc.split("\n")[0], doc, _options(build), tuple(needs), dict(shelves))


def _tree(source: Path) -> ast.Module:
    try:
        return ast.parse(source.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BrokenContract(str(source), "it is Python source", str(error)) from error


def _options(build: ast.FunctionDef) -> tuple[Option, ...]:
    arguments = build.args
    plain = [*arguments.posonlyargs, *arguments.args]
    padding: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    pairs = [
        *zip(plain, [*padding, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return tuple(
        Option(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "Any",
            ast.unparse(default) if default is not None else NO_DEFAULT,
        )
        for argument, default in pairs
    )


def _constant(tree: ast.Module, name: str, absent: Any) -> Any:
    """The literal that a module constant is set to.

    `NEEDS` is what a part asks of its neighbours; `SHELVES` maps an option to the package whose
    parts it names.
    """
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return ast.literal_eval(node.value)
    return absent
