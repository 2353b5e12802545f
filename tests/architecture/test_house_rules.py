"""Sizes, names and docstrings: smell detectors that a file may answer with a reason."""

import ast
import os
from pathlib import Path

from tests.architecture.sources import FILES, ROOT, place, tree_of

FORBIDDEN = {"utils", "util", "helpers", "misc", "common", "core", "base", "tools"}
LEFT_OUT = (".run", ".egg-info", "site", "build", "dist", "__pycache__")
REASON = "# longer than 300 lines because"


def test_files_fit_the_size_or_state_a_reason():
    texts = {place(path): path.read_text(encoding="utf-8") for path in FILES}
    assert not [
        n for n, text in texts.items() if len(text.splitlines()) > 300 and REASON not in text
    ]


def test_functions_fit_a_screen():
    long = []
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                if length > 60:
                    long.append(f"{place(path)}: {node.name} has {length} lines")
    assert not long


def test_no_file_has_a_name_without_meaning():
    assert not [place(path) for path in FILES if path.stem in FORBIDDEN]


def test_each_module_says_what_it_is():
    assert not [place(path) for path in FILES if not ast.get_docstring(tree_of(path))]


def test_the_repository_carries_no_machine_paths():
    machine = (f"{ROOT.parent}/", f"{Path.home()}/")
    endings = (".py", ".md", ".toml", ".txt", ".yaml", ".json", ".html", ".js", "Makefile")
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if not n.startswith(".") and not n.endswith(LEFT_OUT)]
        for path in (Path(folder) / name for name in names if name.endswith(endings)):
            text = path.read_text(encoding="utf-8", errors="replace")
            if not path.name.startswith(".") and any(word in text for word in machine):
                found.append(str(path.relative_to(ROOT)))
    assert not found


def test_what_is_installed_is_named_without_an_address():
    for name in ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name
