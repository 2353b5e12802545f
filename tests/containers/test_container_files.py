"""Both files install the package with its constraints and start it without rights."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "containers" / "Containerfile"
APPTAINER = ROOT / "containers" / "cellwise.def"
KNOWN = {"FROM", "ARG", "RUN", "WORKDIR", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}


def instructions():
    """`(word, rest)` of each instruction, lines that go on joined."""
    text = re.sub(r"^#.*\n", "", CONTAINER.read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    return [tuple(line.split(None, 1)) for line in lines]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_each_line_is_an_instruction():
    assert {word for word, _ in instructions()} <= KNOWN
    assert instructions()[0][0] == "FROM"


def test_all_that_is_copied_is_there():
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY"]
    names = [name for row in copied for name in row if not name.startswith(("--from", "/opt"))]
    assert names
    assert all((ROOT / name).exists() for name in names)
    files = APPTAINER.read_text().partition("%files")[2].partition("%post")[0].split()[::2]
    assert sorted(files) == sorted(names)


def test_the_last_stage_works_without_rights_and_starts_the_command():
    last = instructions()
    stage = last[max(n for n, (word, _) in enumerate(last) if word == "FROM") :]
    (user,) = [rest for word, rest in stage if word == "USER"]
    assert user != "root"
    assert ("ENTRYPOINT", '["cellwise"]') in stage
    assert any(rest.startswith("--from=build /opt/cellwise") for _, rest in stage)


@pytest.mark.parametrize("path", [CONTAINER, APPTAINER], ids=lambda path: path.name)
def test_extras_and_constraints_are_those_of_the_project(path):
    text = path.read_text()
    assert "--constraint constraints.txt" in text
    named = re.search(r'EXTRAS="([^"]+)"|\.\[([a-z0-9,]+)\]"', text)
    extras = (named[1] or named[2]).split(",")
    assert set(extras) <= set(project()["optional-dependencies"])


def test_the_python_of_the_image_is_new_enough():
    # Bookworm has Python 3.11.
    assert project()["requires-python"] == ">=3.11"
    assert "debian:bookworm-slim" in CONTAINER.read_text()
    assert "debian:bookworm-slim" in APPTAINER.read_text()
