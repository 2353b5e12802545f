"""The how-to on parts from another package, done as it is written."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "bring-your-own-part.md"
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The page's files, and what an installer would make of its project file."""
    home = tmp_path_factory.mktemp("own_part")
    text = PAGE.read_text(encoding="utf-8")
    for name, body in re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL | re.M):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
    project = tomllib.loads((home / "my-losses" / "pyproject.toml").read_text(encoding="utf-8"))
    facts = project["project"]
    info = home / "my-losses" / f"my_losses-{facts['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {facts['name']}\nVersion: {facts['version']}\n")
    lines = []
    for group, points in facts["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {module}" for name, module in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return home


def do(home, *words, **more):
    path = os.pathsep.join([str(home / "my-losses"), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        **more,
    )


def commands(section):
    """The lines of the blocks without a language in one section."""
    pages = SECTION.split(PAGE.read_text(encoding="utf-8"))
    own = pages[pages.index(section) + 1]
    blocks = re.findall(r"\n\n```\n(.*?)\n```", own, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_part_passes_its_own_tests_and_is_listed(home):
    installing, testing, listing = commands("Check it")
    assert installing.startswith("pip install")
    done = do(home, "-m", *testing.split(), "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    done = do(home, "-m", *listing.split())
    assert "asymmetric(present=0.0, absent=4.0, margin=0.05)" in done.stdout, done.stderr


def test_a_wrong_option_of_the_part_is_refused_before_any_work(home):
    text = (home / "asymmetric.yaml").read_text(encoding="utf-8")
    (home / "wrong.yaml").write_text(text.replace("absent:", "abscent:"), encoding="utf-8")
    (home / "nothing").mkdir()
    done = do(home, "-m", "cellwise", "run", "nothing", "--recipe", "wrong.yaml", "--out", "no.run")
    assert done.returncode == 2
    assert "loss 'asymmetric' has no option 'abscent'" in done.stderr
    assert not (home / "no.run").exists()


@pytest.mark.long
def test_a_recipe_trains_with_it(home):
    for line in commands("Name it in a recipe"):
        done = do(home, "-m", *line.split())
        assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((home / "asymmetric.run" / "run.json").read_text(encoding="utf-8"))
    assert "asymmetric" in json.dumps(run["recipe"])
    assert (home / "asymmetric.run" / "metrics.json").is_file()
