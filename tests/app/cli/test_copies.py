"""Files that lie under two names are named by check, at the end of a run and in the report."""

import shutil

import pytest
import typer
from tests.worlds import plate

from cellwise.app.cli import app


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = plate(tmp_path / "in", 4)
    shutil.copy(folder / "A02_DNA.png", folder / "A02_GFP.png")
    shutil.copy(folder / "A01_GFP.png", folder / "A04_GFP.png")
    return folder


def said(capsys, *words):
    with pytest.raises((SystemExit, typer.Exit)):
        typer.main.get_command(app)(list(words), prog_name="cellwise")
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_images_that_are_there_twice_are_named(folder, capsys, tmp_path):
    one = "Channels DNA and GFP hold the same image in 1 site, such as A02"
    two = "2 sites hold an image that another site holds too, such as A01 (GFP) and A04 (GFP)"
    checked = said(capsys, "check", "in", "--full", "--recipe", "segment-only")
    assert one in checked
    assert two in checked
    words = ["--recipe", "segment-only", "--workers", "1", "--set", "segment.name=grid"]
    ran = said(capsys, "run", "in", "--out", "out.run", *words)
    assert one in ran
    assert two in ran
    report = (tmp_path / "out.run" / "report.html").read_text("utf-8")
    assert one in report
    assert two in report
