"""Sizes, names and docstrings: smell detectors that a file may answer with a reason."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "src" / "cellwise").rglob("*.py"))
FORBIDDEN = {"utils", "util", "helpers", "misc", "common", "core", "base", "tools"}
REASON = "# longer than 300 lines because"


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=place)
def test_files_fit_the_size_or_state_a_reason(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300 or REASON in text


@pytest.mark.parametrize("path", FILES, ids=place)
def test_functions_fit_a_screen(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_no_file_has_a_name_without_meaning(path):
    assert path.stem not in FORBIDDEN


@pytest.mark.parametrize("path", FILES, ids=place)
def test_each_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_the_repository_carries_no_machine_paths():
    machine = (f"{ROOT.parent}/", f"{Path.home()}/")
    kinds = ("*.py", "*.md", "*.toml", "*.txt", "*.yaml", "*.json", "*.html", "*.js", "Makefile")
    for kind in kinds:
        for path in ROOT.rglob(kind):
            parts = path.relative_to(ROOT).parts
            if any(part.startswith(".") or part.endswith((".run", ".egg-info")) for part in parts):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [word for word in machine if word in text], place(path)


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run"])
def test_what_is_installed_is_named_without_an_address(name):
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")
