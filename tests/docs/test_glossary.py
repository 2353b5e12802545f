"""The words of docs/reference/glossary.md are kept in what a user reads."""

import ast
import re
from pathlib import Path

import pytest
import typer

from cellwise.app.cli import app

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "cellwise"
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
REPLACED = ROOT / "docs" / "reference" / "words-replaced.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Pattern of a word that is not used -> what stands in its place.
INSTEAD = {
    r"pictures?": "image",
    r"haz[ey]|veils?|veiled": "out-of-focus background, scattered light",
    r"laid nuclei|crowds of nuclei": "overlapping nuclei by copy-paste augmentation",
    r"given masks|masks given": "imported masks",
    r"(the|best|training|finite|mean|batch) costs?( of (a|the) batch)": "loss",
    r"(training|finite|batch) costs?": "loss",
    r"watched (fields|groups|sites)": "validation",
    r"ladders?": "benchmark",
    r"laps?": "rounds",
    r"hosts'": "HPA-Cell-Segmentation",
    r"storeys?|floor of the house|house of floors|spine": "layer",
    r"shel(f|ves)": "folder of components",
    r"(one|first|second|closer) looks?": "pass",
    r"window for Python|Python window": "Python API",
}
WORDS = {re.compile(rf"\b({word})(?!\w)", re.IGNORECASE): fit for word, fit in INSTEAD.items()}
# Command words, names of files and names in a recipe stand in marks of code and are not prose.
CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|^\|.*\| one look.*$", re.DOTALL | re.MULTILINE)
REPLACED_CODE = re.compile(r"```.*?```|`[^`]*`|(?<=\])\([^)]*\)", re.DOTALL)
# So do the names of arguments in docstrings.
NAMED = re.compile(r"^\s+\w+: ", re.MULTILINE)
# The benchmark's rows are called so in finished benchmarks, and the command keeps its name.
KEPT = re.compile(r'rows? "one look"|cellwise ladder|ladder\.(html|md|csv|json)')


def wrong(text):
    """Words of a text that the glossary replaces, each with its replacement."""
    prose = KEPT.sub("", CODE.sub("", NAMED.sub("", text)))
    return [(m.group(0), fit) for word, fit in WORDS.items() for m in word.finditer(prose)]


def replaced():
    """The phrases of the page of replaced words that the table of this file does not have."""
    rows = re.findall(r"^\| (`.+?`) \|", REPLACED.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    return [word for word in words if word not in ("pictures?", "haze", "ladders?", "laps?",
            "storeys?")]  # fmt: skip


def messages(path):
    """What a module says: docstrings, and all texts of several words."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def helps():
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        yield name, command.help or ""
        for option in command.params:
            yield f"{name} {option.name}", getattr(option, "help", None) or ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_keep_to_the_glossary(page):
    assert not wrong(page.read_text(encoding="utf-8"))


def test_replaced_words_are_in_no_page():
    """Except on the page that is made from docstrings."""
    assert len(replaced()) > 30
    found = {}
    for page in PAGES:
        text = REPLACED_CODE.sub("", page.read_text(encoding="utf-8"))
        words = [
            w for w in replaced() if re.search(rf"\b{re.escape(w)}(?!\w)", text, re.IGNORECASE)
        ]
        if words and page.name != "parts.md":
            found[page.name] = words
    assert found == {}


def test_help_keeps_to_the_glossary():
    assert not [(where, found) for where, text in helps() if (found := wrong(text))]


def test_docstrings_and_messages_keep_to_the_glossary():
    faults = {
        str(path.relative_to(SOURCE)): found
        for path in sorted(SOURCE.rglob("*.py"))
        if (found := [one for text in messages(path) for one in wrong(text)])
    }
    assert not faults


def test_page_texts_and_recipes_keep_to_the_glossary():
    """What stands between the tags of report, gallery and benchmark; heads of recipes."""
    for path in sorted(SOURCE.rglob("*.html")):
        text = re.sub(
            r"<(script|style).*?</\1>|<[^>]*>|{[%{].*?[%}]}", " ", path.read_text(), flags=re.S
        )
        assert not wrong(text), path.name
    for path in sorted(SOURCE.rglob("*.yaml")):
        comments = "\n".join(line for line in path.read_text().splitlines() if line[:1] == "#")
        assert not wrong(comments), path.name


def test_every_word_is_explained_once():
    rows = re.findall(r"^\| ([^|]+?) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows if row not in ("word", "---") for word in row.split(", ")]
    assert len(words) == len(set(words)) > 40


@pytest.mark.parametrize(
    "said", ["Two pictures.", "a shelf of parts", "The ladder ends", "in haze"]
)
def test_the_check_can_fail(said):
    assert wrong(said)


@pytest.mark.parametrize("said", ["`haze=0.1`", "give `cellwise ladder OUT`", "collapse"])
def test_names_are_no_prose(said):
    assert not wrong(said)
