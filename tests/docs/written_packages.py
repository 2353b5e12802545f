"""Packages that a how-to page writes down, laid out as an installer would leave them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def write_files(page, home):
    """Every file that the page shows under its name."""
    text = page.read_text(encoding="utf-8")
    for name, body in re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL | re.M):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")


def install(folder):
    """What an installer would make of the project file of a package."""
    facts = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declare(folder, facts["name"], facts["entry-points"])


def declare(folder, name, groups):
    """The notes of an installed package: name and entry points by group."""
    info = folder / f"{name.replace('-', '_')}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 0.1\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))


def do(home, package, *words, **more):
    """A command of this Python with the package installed."""
    path = os.pathsep.join([str(package), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        **more,
    )


def commands(page, section):
    """The lines of the blocks without a language in one section."""
    pages = SECTION.split(page.read_text(encoding="utf-8"))
    own = pages[pages.index(section) + 1]
    blocks = re.findall(r"\n\n```\n(.*?)\n```", own, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]
