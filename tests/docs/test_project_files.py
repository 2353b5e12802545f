"""Files that people and programs read about the project: they agree with it and with each other."""

import importlib.util
import json
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

import cellwise

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_citation_names_this_version_the_systems_and_the_embedded_data():
    cited = read("CITATION.cff")
    assert cited["version"] == cellwise.__version__ == PROJECT["project"]["version"]
    assert cited["license"] == PROJECT["project"]["license"]
    notes = " ".join(one.get("notes", "") for one in cited["references"])
    recipes = {path.stem for path in (ROOT / "src/cellwise/recipes").glob("*.yaml")}
    systems = {"hpa-galixir", "hpa-puzzle-cam", "hpa-graph-denoise", "hpa-cam-cycles",
               "rxrx1-by-cell-type"}  # fmt: skip
    assert systems <= recipes
    for name in (*systems, "BBBC013", "BBBC038", "BBBC039", "MitoCheck", "RxRx1", "Protein Atlas"):
        assert name in notes
    for one in cited["references"]:
        assert {"type", "title", "authors", "year"} <= set(one)


def test_the_workflow_tests_every_version_that_is_promised():
    jobs = read(".github/workflows/tests.yml")["jobs"]
    tested = set(jobs["suite"]["strategy"]["matrix"]["python"])
    promised = {
        line.rpartition(" ")[2]
        for line in PROJECT["project"]["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    }
    assert promised == tested
    assert f">={min(tested)}" == PROJECT["project"]["requires-python"]
    assert all("timeout-minutes" in job for job in jobs.values())


def test_installed_libraries_take_the_python_of_debian_12():
    """`make demo` pins all of them: one that asks for a later 3.11 stops it before it begins."""
    pins = set((ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    asked = {
        one.metadata["Name"]: SpecifierSet(one.metadata["Requires-Python"])
        for one in distributions()
        if f"{one.metadata['Name']}=={one.version}" in pins and "Requires-Python" in one.metadata
    }
    if len(asked) < 50:
        pytest.skip("other versions than the pinned ones are installed")
    assert [name for name, wanted in asked.items() if "3.11.2" not in wanted] == []


def test_every_change_has_a_kind_and_a_text():
    kinds = {one["directory"] for one in PROJECT["tool"]["towncrier"]["type"]}
    files = {path.name for path in (ROOT / "changes").iterdir()}
    files -= set(PROJECT["tool"]["towncrier"]["ignore"])
    for name in files:
        parts = name.split(".")
        assert len(parts) == 3, name
        assert parts[1] in kinds, name
        assert parts[2] == "md", name
        assert (ROOT / "changes" / name).read_text(encoding="utf-8").strip(), name


def test_a_change_log_comes_out_of_them():
    pytest.importorskip("towncrier", reason="the extra release is not here")
    words = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.8.7"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "## 9.8.7" in done.stdout
    assert "### New" in done.stdout
    for path in list((ROOT / "changes").glob("*.feature.md"))[:3]:
        assert path.read_text(encoding="utf-8").split(".")[0][:40] in done.stdout


def test_large_files_are_refused_and_notebooks_lose_their_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.txt").write_bytes(b"x")
    (tmp_path / "large.bin").write_bytes(bytes(600_000))
    assert script("large_files").too_large(["small.txt", "large.bin", "gone"]) == ["large.bin"]
    cell = {"cell_type": "code", "source": ["1"], "outputs": [{"data": "é"}], "execution_count": 7}
    text = {"cell_type": "markdown", "source": ["é"]}
    after = json.loads(script("notebooks").stripped(json.dumps({"cells": [cell, text]})))
    assert after["cells"] == [{**cell, "outputs": [], "execution_count": None}, text]


def test_a_wheel_with_too_much_or_too_little_is_told():
    release = script("release")
    whole = [*release.NEEDED, "cellwise-1.dist-info/licenses/LICENSE"]
    assert release.wrong_with(whole, 9_000_000) == []
    assert release.wrong_with(whole[1:], 9_000_000) == [f"{whole[0]} is missing"]
    assert release.wrong_with([*whole, "tests/a.py"], 1) == ["tests/a.py does not belong in it"]
    assert release.wrong_with(whole[:-1], 1) == ["the licence is missing"]
    assert release.wrong_with(whole, 30_000_000) == ["it has 30.0 MB, more than 20"]
    for name in release.NEEDED:
        assert (ROOT / "src" / name).is_file(), name
