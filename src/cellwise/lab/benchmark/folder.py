"""One folder, one benchmark: what was asked of it is kept, and another setting is refused."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellwise.errors import PreflightError
from cellwise.lab.benchmark.rows import Table
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import read_json

_MARK = "setting.json"
_LOCKS = (".lock", ".lock.json")
_LATE: dict[str, dict[str, Any]] = {
    "worlds": {"outlines": "true", "first": 0},
    "rows": {"field_label": False},
}


def setting_of(table: Table, *, device: str) -> dict[str, Any]:
    """What must be the same for runs in one folder to be one benchmark.

    Worlds and seeds may be taken in parts: each has a run folder of its own.
    """
    content = {**asdict(table), "seeds": "any"}
    for row in content["rows"]:
        row["recipe"] = _identity(row["recipe"])
    return {
        "format": 1,
        "rows_file": table.name,
        "device": device,
        "table": json.loads(json.dumps(content)),
    }


def _identity(recipe: str) -> str:
    """A recipe that comes along by its name; a file by name and content, wherever it lies."""
    path = Path(recipe)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return recipe
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def write_setting(out: Path, setting: dict[str, Any]) -> None:
    """Keep what was asked for."""
    write_text(out / _MARK, json.dumps(setting, indent=1, sort_keys=True) + "\n")


def check_folder(out: Path, setting: dict[str, Any]) -> None:
    """Refuse a folder of something else.

    Raises:
        PreflightError: The message says what differs.
    """
    if out.exists() and not out.is_dir():
        raise PreflightError(f"{out} is a file, not a folder. Choose another OUT.")
    if not (out / _MARK).is_file():
        found = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
        others = [name for name in found if name not in _LOCKS]
        if others:
            raise PreflightError(
                f"{out} holds something that is no benchmark ({others[0]}). Choose another OUT."
            )
        return
    before = _as_now(read_json(out / _MARK))
    said = [
        f"{words} {before.get(key)}, now {setting[key]}"
        for key, words in (("rows_file", "rows file"), ("device", "device"))
        if before.get(key) != setting[key]
    ]
    if not said and before.get("table") != setting["table"]:
        said = [f"{_difference(before.get('table', {}), setting['table'])} is not as it was"]
    if said:
        raise PreflightError(
            f"{out} is a benchmark of another setting: {'; '.join(said)}. Choose another OUT."
        )


def _as_now(before: dict[str, Any]) -> dict[str, Any]:
    """A setting as it would be kept today: keys that came later have their defaults."""
    for kind, late in _LATE.items():
        for entry in before.get("table", {}).get(kind, []):
            for name, value in late.items():
                entry.setdefault(name, value)
    return before


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first thing that differs, in words."""
    for kind in ("worlds", "rows"):
        old, new = (
            {entry["name"]: entry for entry in table.get(kind, [])} for table in (before, after)
        )
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if names:
            return f"{kind.removesuffix('s')} {names[0]!r}"
    keys = [key for key in after if before.get(key) != after[key]]
    return repr(keys[0]) if keys else "the order of rows or worlds"
