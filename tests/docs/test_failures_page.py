"""Each row of docs/reference/failures.md is shown by a test; each fault of the code has a row."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import cellwise
from cellwise import errors
from cellwise.domain.plain_words import _PROBLEMS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/failures.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?!---)(.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
# Reasons that are written in the source, however they reach an error.
WRITTEN = re.compile(r'(?:code=|\.note\(|Problem\(|_absent\()\s*"([a-z_]+)"')
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
REASON = re.compile(r"`([a-z_]+)`")


def rows(page):
    """Cells of the rows of all tables, without their heads."""
    return [match.groups() for match in ROW.finditer(page) if match[4] != "shown by"]


@cache
def shown_by(path):
    """The tests of a file: their names with all texts in them and in what they call by name."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            parts = [*node.decorator_list, node]
            found[node.name] = {
                one.value for part in parts for one in ast.walk(part)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }  # fmt: skip
    return found


def faults(page):
    """What is wrong with a page: rows without a test, tests that are not there, rows of others."""
    found = []
    for what, *_, shown in rows(page):
        named = TEST.findall(shown)
        if not named:
            found.append(f"no test: {what}")
        gone = [f"{file}::{test}" for file, test in named
                if not (ROOT / "tests" / file).is_file() or test not in shown_by(file)]  # fmt: skip
        found += [f"not there: {one}" for one in gone]
        if re.fullmatch(r"`[a-z_]+`(, `[a-z_]+`)*", what) and not gone:
            said = set().union(*(shown_by(file)[test] for file, test in named))
            found += [f"{word}: its tests never name it" for word in REASON.findall(what)
                      if word not in said]  # fmt: skip
    return found


def reasons(page):
    """The reasons that have a row."""
    firsts = [what for what, *_ in rows(page)]
    return {
        word
        for what in firsts
        if re.fullmatch(r"`[a-z_]+`(, `[a-z_]+`)*", what)
        for word in REASON.findall(what)
    }


def test_each_row_names_tests_that_exist_and_name_its_reason():
    assert faults(PAGE) == []


def test_every_reason_of_the_code_has_a_row_and_no_other():
    sources = Path(cellwise.__file__).parent.rglob("*.py")
    written = {one for file in sources for one in WRITTEN.findall(file.read_text("utf-8"))}
    assert reasons(PAGE) == written | set(_PROBLEMS)


def test_every_exit_code_of_the_errors_has_a_row():
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.CellwiseError)
    }
    assert {what for what, *_ in rows(PAGE) if what.isdigit()} == {str(n) for n in {0, *codes}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("test_a_torn_table_is_named", "test_a_torn_table_is_mended", "not there"),
        ("`faults/test_odd_run_folders.py::test_a_torn_table_is_named`", "seen", "no test"),
        ("`duplicate_file` |", "`duplicate_line` |", "never name it"),
    ],
)
def test_the_check_can_fail(old, new, said):
    assert any(said in one for one in faults(PAGE.replace(old, new)))
