"""A rows file: which worlds, which rows, and what each row is compared with. Data, checked first.

```yaml
format: 1
worlds:
  - {name: hard, world: hpa, per: seed, make: {severity: hard, sites: 300, size: 256}}
rows:
  - {name: inherit, recipe: hpa-inherit}
  - {name: truth, recipe: hpa-inherit, set: [label.by=known, label.truth=$truth]}
```
"""

import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from cellwise.errors import BadOption, UnknownName
from cellwise.registry import did_you_mean

FORMAT = 1
EXPECTED = ("", "better", "worse")
GROUPS = ("own", "shared")
OUTLINES = ("true", "found")
PER_SEED = "seed"
FOLDER = "folder"
KINDS = ("hpa", "mitocheck", "rxrx1", FOLDER)
# It names folders.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_OWN = Path(__file__).parent / "rows"


@dataclass(frozen=True, slots=True)
class World:
    """One setting of a simulated world, drawn several times.

    Args:
        name: What the table calls it.
        world: `hpa`, `mitocheck` or `rxrx1`, or `folder` for a world that is there already.
        make: Options of `cellwise simulate`; for `folder`, `{path: ...}`.
        per: `seed` draws a world for each seed; a number draws so many, and every seed learns in
            each of them.
        groups: `own`, or `shared` where every draw holds the same groups (real plates).
        set: Settings of every row in this world.
        outlines: `true`, or `found` by the segment step of each row's recipe.
        first: Number of the first draw, which is its seed: sealed seeds begin at 1000.
    """

    name: str
    world: str = "hpa"
    make: dict[str, Any] = field(default_factory=dict)
    per: str | int = PER_SEED
    groups: str = "own"
    set: tuple[str, ...] = ()
    outlines: str = "true"
    first: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One recipe with its settings, and what it is held against.

    Args:
        name: What the table calls it; rows of different worlds may share a name.
        recipe: Name, or a YAML file beside the rows file.
        set: Settings such as `train.epochs=3`; `$truth` stands for the world's truth folder.
        against: The rows it is compared with: the best of them in each world and table.
        floor: A_0, the same recipe on inherited labels; empty for the table's.
        ceiling: A_1, the same recipe on the true labels; empty for the table's.
        worlds: Names of worlds; empty for all.
        classes: The classes that count; empty for all.
        expect: `better` or `worse` where others have reported an effect.
        source: Who reported it.
        about: One sentence for the page.
        field_label: Whether cells of labelled fields are judged with what is given of their field.
    """

    name: str
    recipe: str
    set: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    floor: str = ""
    ceiling: str = ""
    worlds: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    expect: str = ""
    source: str = ""
    about: str = ""
    field_label: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A whole rows file.

    Args:
        name: Of the file, without its ending.
        worlds: In the order of the table.
        rows: In the order of the table.
        seeds: Seeds of each world.
        draws: Bootstrap draws.
        min_cells: A class with fewer cells that show it is listed apart.
        min_groups: So is one whose cells lie in fewer groups.
        floor: The row that is A_0.
        ceiling: The row that is A_1.
        set: Settings of every row in every world.
    """

    name: str
    worlds: tuple[World, ...]
    rows: tuple[Row, ...]
    seeds: int = 3
    draws: int = 2000
    min_cells: int = 20
    min_groups: int = 3
    floor: str = "inherit"
    ceiling: str = "truth"
    set: tuple[str, ...] = ()

    def rows_of(self, world: World) -> tuple[Row, ...]:
        """The rows that are run in a world."""
        return tuple(row for row in self.rows if not row.worlds or world.name in row.worlds)

    def row(self, world: str, name: str) -> Row:
        """The row of this name in a world: another world may have another one of the same name."""
        found = (row for row in self.rows if not row.worlds or world in row.worlds)
        return next(row for row in found if row.name == name)


_TYPES: dict[Any, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    str | int: "a text or a whole number",
    dict[str, Any]: "a mapping",
    tuple[str, ...]: "a list of texts",
    tuple[World, ...]: "a list",
    tuple[Row, ...]: "a list",
}


def table_names() -> list[str]:
    """The rows files that come with cellwise."""
    return sorted(path.stem for path in _OWN.glob("*.yaml") if not path.stem.startswith("_"))


def load_table(name_or_file: str) -> Table:
    """Read and check a rows file; recipes are resolved later, still before any work.

    Raises:
        UnknownName: No such file, or a row or world that is named and not there.
        BadOption: The file is no rows file of format 1.
    """
    path = _path(name_or_file).resolve()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadOption(f"Rows file {name_or_file}: not readable as YAML: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadOption(f"Rows file {name_or_file}: the first line says `format: {FORMAT}`.")
    where = f"Rows file {path.stem}"
    worlds = [_world(where, entry, path.parent) for entry in _list(where, content, "worlds")]
    rows = [_row(where, entry, path.parent) for entry in _list(where, content, "rows")]
    given = {k: v for k, v in content.items() if k not in ("format", "worlds", "rows")}
    table: Table = _made(Table, where, {**given, "name": path.stem, "worlds": worlds, "rows": rows})
    _check(where, table)
    return table


def _path(name_or_file: str) -> Path:
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UnknownName(f"There is no rows file {name_or_file}.")
        return path
    known = table_names()
    if name_or_file not in known:
        raise UnknownName(
            f"No rows file is called {name_or_file!r}.{did_you_mean(name_or_file, known)} "
            f"There is: {', '.join(known)}. A file of your own ends in .yaml."
        )
    return _OWN / f"{name_or_file}.yaml"


def _list(where: str, content: dict[str, Any], key: str) -> list[Any]:
    entries = content.get(key)
    if not isinstance(entries, list) or not entries:
        raise BadOption(f"{where} lists at least one of its {key} under `{key}:`.")
    return entries


def _world(where: str, entry: Any, home: Path) -> World:
    found: World = _made(World, f"{where}, world {_name(entry)!r}", entry)
    what = f"{where}, world {found.name!r}"
    if not _NAME.fullmatch(found.name):
        raise BadOption(f"{what}: a world's name is made of letters, digits, '.', '_' and '-'.")
    for key, known in (("world", KINDS), ("groups", GROUPS), ("outlines", OUTLINES)):
        _one_of(what, key, getattr(found, key), known)
    if found.first < 0:
        raise BadOption(f"{what}: first is the seed of the first draw, 0 or above.")
    if found.per != PER_SEED and (not isinstance(found.per, int) or found.per < 1):
        raise BadOption(f"{what}: per is `seed` or a number of worlds, not {found.per!r}.")
    if found.world != FOLDER:
        return found
    if not isinstance(found.make.get("path"), str):
        raise BadOption(f"{what}: a world that is there already needs make: {{path: FOLDER}}.")
    return replace(found, make={"path": str(home / found.make["path"])}, per=1, first=0)


def _row(where: str, entry: Any, home: Path) -> Row:
    found: Row = _made(Row, f"{where}, row {_name(entry)!r}", entry)
    _one_of(f"{where}, row {found.name!r}", "expect", found.expect, EXPECTED)
    if Path(found.recipe).suffix not in (".yaml", ".yml"):
        return found
    return replace(found, recipe=str(home / found.recipe))


def _name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else ""


def _made(kind: Any, where: str, entry: Any) -> Any:
    """An entry as `kind`: keys known, values of the type of the field; lists become tuples."""
    if not isinstance(entry, dict):
        raise BadOption(f"{where}: an entry is written as {{name: value}}, not {entry!r}.")
    known = {f.name: f for f in fields(kind)}
    for key, value in entry.items():
        if key not in known:
            raise BadOption(
                f"{where} has no key {key!r}.{did_you_mean(str(key), sorted(known))} "
                f"There is: {', '.join(known)}."
            )
        what = _TYPES[known[key].type]
        if not _fits(value, what):
            raise BadOption(f"{where}: {key} is {what}, not {value!r}.")
    for f in known.values():
        if f.default is MISSING and f.default_factory is MISSING and f.name not in entry:
            raise BadOption(f"{where} needs a {f.name}.")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})


def _fits(value: Any, what: str) -> bool:
    plain = not isinstance(value, bool)
    fits = {
        "a text": isinstance(value, str),
        "true or false": isinstance(value, bool),
        "a whole number": isinstance(value, int) and plain,
        "a text or a whole number": isinstance(value, str | int) and plain,
        "a mapping": isinstance(value, dict),
        "a list": isinstance(value, list),
        "a list of texts": isinstance(value, list) and all(isinstance(v, str) for v in value),
    }
    return fits[what]


def _one_of(where: str, key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadOption(
            f"{where}: {key} is one of {', '.join(word or 'nothing' for word in known)}, "
            f"not {value!r}.{did_you_mean(value, list(known))}"
        )


def _check(where: str, table: Table) -> None:
    """Names are there, once, and a row is never held against itself."""
    names = list(dict.fromkeys(row.name for row in table.rows))
    worlds = [world.name for world in table.worlds]
    _once(f"{where}: two worlds", worlds)
    for world in table.worlds:
        _once(f"{where}, world {world.name!r}: two rows", [r.name for r in table.rows_of(world)])
    for key in ("seeds", "draws", "min_cells", "min_groups"):
        if getattr(table, key) < 1:
            raise BadOption(f"{where}: {key} is at least 1.")
    # The usual names may be absent: then the table has no gap.
    ends = [name for name in (table.floor, table.ceiling) if name not in ("inherit", "truth")]
    _known(f"{where}: floor or ceiling", ends, names)
    for row in table.rows:
        of = f"{where}, row {row.name!r}"
        _known(f"{of}: world", row.worlds, worlds)
        _known(f"{of}: row", [*row.against, row.floor, row.ceiling], names)
        if row.name in row.against:
            raise BadOption(f"{of}: it is held against itself.")


def _once(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadOption(f"{what} are called {twice[0]!r}.")


def _known(where: str, names: Sequence[str], known: list[str]) -> None:
    for name in names:
        if name and name not in known:
            raise UnknownName(
                f"{where} {name!r} is not in the file.{did_you_mean(name, known)} "
                f"There is: {', '.join(known)}."
            )
