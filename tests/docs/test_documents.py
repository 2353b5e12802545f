"""Documents speak of commands, files and parts that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cellwise.app.cli import app

ROOT = Path(__file__).resolve().parents[2]
# Pages that the site makes from the code, as its hooks name them.
HOOKS = (ROOT / "website" / "hooks.py").read_text(encoding="utf-8")
MADE = {ROOT / "docs" / name for name in re.findall(r'"((?:reference|project)/\w+\.md)":', HOOKS)}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands():
    for page in PAGES:
        for block in re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("cellwise "):
                    yield pytest.param(line.split("#")[0].strip(), id=f"{page.name}:{line[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_in_a_document_exists_with_its_options(line):
    words = shlex.split(line)[1:]
    command = typer.main.get_group(app)
    context = command.make_context("cellwise", list(words), resilient_parsing=True)
    name, verb, rest = command.resolve_command(context, list(words))
    if hasattr(verb, "commands"):
        # A verb with sub-verbs has the options of the one that is named.
        verb = verb.commands[rest[0]]
    options = {
        option
        for parameter in verb.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    used = {word.split("=")[0] for word in rest if word.startswith("--")}
    assert used <= options, (name, used - options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_a_document_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and (page.parent / target).resolve() not in MADE:
            assert (page.parent / target).exists(), target


def test_the_page_of_parts_is_current():
    done = subprocess.run(
        [sys.executable, "-m", "cellwise", "parts", "--markdown"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs" / "parts.md").read_text(encoding="utf-8") == done.stdout, (
        "run `make docs`"
    )
