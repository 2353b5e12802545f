"""`cellwise check`: the command that it gives can be pasted."""

import shlex

import pytest
import typer
from tests.worlds import labels, plate

from cellwise.app.cli import app
from cellwise.app.cli.check import run_command


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What `check` prints by heading, from a folder beside the images."""
    plate(tmp_path / "my images", 4)
    labels(tmp_path / "my labels.csv", 4)
    monkeypatch.chdir(tmp_path)

    def said(*words):
        with pytest.raises((SystemExit, typer.Exit)):
            typer.main.get_command(app)(["check", *words], prog_name="cellwise")
        lines = capsys.readouterr().out.splitlines()
        return {line[:12].strip(): line[12:] for line in lines if line[:12].strip()}

    return said


def test_the_command_has_every_option_as_given(said):
    pattern = "{well}_{channel}"
    more = ["--labels", "my labels.csv", "--layout", "pattern", "--pattern", pattern]
    more += ["--set", "read.roles.GFP=protein", "--set", "cells.size=32"]
    lines = said("my images", *more)
    wanted = ["cellwise", "run", "my images", "--out", "my images.run", *more]
    assert shlex.split(lines["Next"]) == wanted
    assert lines["Recipe"] == "plate-quick (fields with labels)"


def test_without_options_it_is_short(said):
    lines = said("my images")
    assert lines["Next"] == "cellwise run 'my images' --out 'my images.run'"
    assert lines["Recipe"] == "segment-only (no labels)"


def test_the_run_never_lies_inside_its_images(tmp_path, monkeypatch):
    (tmp_path / "plate").mkdir()
    monkeypatch.chdir(tmp_path / "plate")
    words = shlex.split(run_command(type(tmp_path)("."), []))
    assert words == ["cellwise", "run", ".", "--out", str(tmp_path / "plate.run")]
