import importlib.metadata
import sys

import pytest

from cellwise import registry
from cellwise.errors import BadOption, BrokenContract, UnknownName, UsageError
from cellwise.registry import Registry, check_options, did_you_mean, read_page, split_spec

PART = '''"""Doubles a number.

Source: arithmetic.
"""

NEEDS = ("number",)


def build(factor: float, *, offset: int = 1):
    """Make it."""
    return lambda x: factor * x + offset
'''


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    package = tmp_path / "a_shelf_of_parts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "double.py").write_text(PART)
    (package / "broken.py").write_text("raise RuntimeError('imported')\n")
    (package / "_machinery.py").write_text("")
    (package / "step.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry("trick", "a_shelf_of_parts")
    for name in [name for name in sys.modules if name.startswith("a_shelf_of_parts")]:
        del sys.modules[name]


def test_a_file_is_a_part_and_machinery_is_not(shelf):
    assert shelf.names() == ["double"]
    assert shelf.part_names() == ["double"]


def test_a_page_is_read_without_importing(shelf):
    page = shelf.page("double")
    assert page.summary == "Doubles a number."
    assert [(o.name, o.type, o.default, o.required) for o in page.options] == [
        ("factor", "float", "(required)", True),
        ("offset", "int", "1", False),
    ]
    assert page.needs == ("number",)
    assert "a_shelf_of_parts.double" not in sys.modules


def test_a_part_is_built_with_its_options(shelf):
    assert shelf.build({"name": "double", "factor": 3})(2) == 7


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "double", "factr": 3}, "Did you mean 'factor'"),
        ({"name": "double"}, "needs the option 'factor'"),
        ({"name": "double", "factor": "many"}, "option 'factor'"),
        ({"factor": 3}, "written as a name"),
    ],
)
def test_wrong_options_are_named(shelf, spec, message):
    with pytest.raises(BadOption, match=message):
        shelf.build(spec)


@pytest.mark.parametrize(
    ("annotation", "good", "wrong"),
    [
        ("int", [3, "3", 3.0], ["x", 3.5, True, None, [3], float("nan")]),
        ("float", [3, 0.5, "1e-3"], ["x", True, None, float("inf"), {}]),
        ("str", ["x"], [3, None, ["x"]]),
        ("bool", [True, False], ["x", 3, None]),
        ("Annotated[int, Limits(ge=1)]", [3], ["x", True, None]),
        ("Annotated[int, Limits(ge=1)] | None", [3, None], ["x", True]),
        ("float | str", [0.5, "x"], [None, []]),
        ("bool | str", [True, "x"], [None, []]),
        ("Sequence[str] | None", [["x"], 3, None], []),
        ("Size", ["anything", 3, None], []),
    ],
)
def test_values_of_plain_types_are_checked_without_importing(tmp_path, annotation, good, wrong):
    source = tmp_path / "part.py"
    source.write_text(f"def build(value: {annotation}):\n    raise AssertionError\n")
    page = read_page("part", source)
    for value in good:
        check_options("x", page, {"value": value})
    for value in wrong:
        with pytest.raises(BadOption, match="'value'"):
            check_options("x", page, {"value": value})


def test_an_unknown_part_is_answered_with_the_nearest(shelf):
    with pytest.raises(UnknownName, match=r"No trick is called 'dubble'\. Did you mean 'double'\?"):
        shelf.build("dubble")


def points(monkeypatch, *pairs):
    found = [importlib.metadata.EntryPoint(n, v, "a_shelf_of_parts") for n, v in pairs]
    monkeypatch.setattr(registry, "offered", lambda group: found)


def test_another_package_adds_a_part(shelf, tmp_path, monkeypatch):
    (tmp_path / "strangers_part.py").write_text(PART)
    points(monkeypatch, ("triple", "strangers_part"))
    assert "triple" in shelf.names()
    assert shelf.build({"name": "triple", "factor": 1})(5) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "trick 'triple' breaks its contract: its entry point names a module"),
        ("def build(:", r"bad_part.py breaks its contract: it is Python source. Seen: .*line 1"),
        ("x = 1", "bad_part.py has no function 'build', so it is not a part"),
    ],
)
def test_what_is_no_part_is_refused_by_name_without_being_imported(
    shelf, tmp_path, monkeypatch, text, message
):
    if text is not None:
        (tmp_path / "bad_part.py").write_text(text)
    points(monkeypatch, ("triple", "bad_part" if text else "nowhere_at_all.part"))
    with pytest.raises(UsageError, match=message):
        shelf.check("triple")


def test_a_part_that_gives_nothing_is_refused_by_name(shelf, tmp_path, monkeypatch):
    (tmp_path / "forgetful_part.py").write_text("def build():\n    pass\n")
    points(monkeypatch, ("forget", "forgetful_part"))
    with pytest.raises(BrokenContract, match=r"trick 'forget'.*it gives nothing; return it"):
        shelf.build("forget")


def test_a_name_that_is_taken_is_refused(shelf, monkeypatch):
    points(monkeypatch, ("double", "strangers_part"))
    with pytest.raises(BadOption, match="already taken"):
        shelf.names()


def test_helpers_of_messages():
    assert did_you_mean("focl", ["focal", "bce"]) == " Did you mean 'focal'?"
    assert did_you_mean("zzz", ["focal"]) == ""
    assert split_spec("bce") == ("bce", {})
