"""`cellwise simulate` from the command line: words, exit codes, what is printed."""

import pytest
from typer.testing import CliRunner

import cellwise
from cellwise.app.cli import app
from cellwise.errors import UnknownName, UsageError


def call(*words):
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def small(out, *words):
    return (out, "--world", "hpa", "--sites", 2, "--size", 128, "--workers", 1, *words)


def test_a_world_is_made_and_counted(tmp_path):
    done = call(*small(tmp_path / "world"))
    assert done.exit_code == 0, done.output
    assert "2 fields" in done.output
    assert (tmp_path / "world" / "train.csv").is_file()
    again = call(*small(tmp_path / "world"))
    assert again.exit_code == 0
    assert "already there" in again.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--world", "hpb"), "--world is one of hpa, rxrx1, mitocheck"),
        (("--world", "hpa", "--severity", "hart"), "Did you mean 'hard'?"),
        (("--world", "hpa", "--sites", "0"), "--sites"),
        (("--world", "hpa", "--scv", "2"), "--scv"),
        (("--world", "hpa", "--variant", "wells"), "--variant means nothing to --world hpa"),
    ],
)
def test_wrong_words_end_with_2(tmp_path, words, said):
    done = call(tmp_path / "world", *words)
    assert isinstance(done.exception, UsageError)
    assert done.exception.exit_code == 2
    assert said in str(done.exception)
    assert not (tmp_path / "world").exists()


def test_without_a_world_the_command_says_what_is_missing(tmp_path):
    done = call(tmp_path / "world")
    assert done.exit_code == 2


def test_the_window_makes_the_same_world(tmp_path):
    folder = cellwise.simulate(tmp_path / "world", "hpa", sites=2, size=128)
    assert folder == tmp_path / "world"
    assert (folder / "truth" / "cells.csv").is_file()
    assert cellwise.simulate(folder, "hpa", sites=2, size=128) == folder
    with pytest.raises(UnknownName):
        cellwise.simulate(tmp_path / "other", "hpb")
