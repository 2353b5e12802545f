"""`cellwise check`: the command that it gives can be pasted, and none is given after a refusal."""

import json
import shlex
import string
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds import draw, labels, plate, save, wells

from cellwise.app.cli import app
from cellwise.app.cli.check import run_command
from cellwise.app.cli.terminal.checked import duration

NAMES = st.text(string.printable.replace("/", "").strip() + " é", min_size=1, max_size=12).filter(
    lambda name: name.strip(".")
)
VALUES = st.text(string.printable.strip() + " \n", min_size=1, max_size=12)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("checked")
    plate(home / "my images", 4)
    labels(home / "my labels.csv", 4)
    return home


@pytest.fixture
def call(home, monkeypatch, capsys):
    """Code and output of a verb, from the folder beside the images."""
    monkeypatch.chdir(home)

    def call(*words):
        with pytest.raises((SystemExit, typer.Exit)) as ended:
            typer.main.get_command(app)(list(words), prog_name="cellwise", standalone_mode=True)
        code = getattr(ended.value, "code", None) or getattr(ended.value, "exit_code", 0)
        return code, capsys.readouterr().out

    return call


def by_heading(text):
    lines = text.splitlines()
    return {line[:12].strip(): line[12:] for line in lines if line[:12].strip()}


@pytest.fixture
def asked(monkeypatch):
    """What `run` would be asked for, without doing it."""
    found = []

    def stop(request, listener=None, course=None):
        found.append(request)
        raise SystemExit(0)

    monkeypatch.setattr("cellwise.flow.pipeline.run.run_pipeline", stop)
    return found


@pytest.mark.slow
def test_the_last_line_runs_what_was_checked(call, asked, home):
    more = ["--labels", "my labels.csv", "--layout", "pattern", "--pattern", "{well}_{channel}"]
    more += ["--recipe", "one-class", "--set", "read.roles.GFP=protein", "--set", "cells.size=32"]
    code, out = call("check", "my images", *more)
    assert code == 0
    words = shlex.split(out.splitlines()[-1])
    assert words[:5] == ["cellwise", "run", "my images", "--out", "my images.run"]
    call(*words[1:])
    (request,) = asked
    assert request.recipe.name == "one-class"
    assert request.out == Path("my images.run")
    read, cells = (request.recipe.of_kind(kind)[0].options for kind in ("read", "cells"))
    assert read["labels"] == "my labels.csv"
    assert (read["layout"], read["pattern"]) == ("pattern", "{well}_{channel}")
    assert (read["roles"], cells["size"]) == ({"GFP": "protein"}, 32)


def test_without_options_it_is_short(call, asked):
    _, out = call("check", "my images")
    assert out.splitlines()[-1] == "cellwise run 'my images' --out 'my images.run'"
    assert by_heading(out)["Recipe"] == "segment-only (no labels)"
    call(*shlex.split(out.splitlines()[-1])[1:])
    assert asked[0].recipe.name == "segment-only"


def test_the_screen_fits_a_screen(call):
    _, out = call("check", "my images", "--labels", "my labels.csv")
    assert len(out.splitlines()) <= 24
    lines = by_heading(out)
    assert lines["Recipe"].startswith("plate-quick (")
    assert "train cell" in out
    assert "enough" in out


def test_nothing_is_offered_after_a_refusal(call):
    code, out = call("check", "my images", "--recipe", "plate-quick")
    assert code == 4
    assert "cellwise run" not in out
    assert "--labels" in by_heading(out)["Refused"]
    _, out = call("check", "my images", "--recipe", "plate-quick", "--json")
    assert "command" not in json.loads(out)


def test_all_refusals_are_said_at_once(call, home):
    (home / "none.csv").write_text("key,label\nX1,a\n", encoding="utf-8")
    roles = ["--set", "read.roles.DNA=brightfield"]
    code, out = call("check", "my images", "--labels", "none.csv", *roles)
    said = [line for line in out.splitlines() if line.startswith("Refused")]
    assert code in (2, 4)
    assert len(said) == 2
    assert "none.csv" in said[0]
    assert by_heading(out)["Labels"] == "none.csv cannot be used (see Refused)"
    _, out = call("check", "my images", "--labels", "none.csv", "--json")
    assert json.loads(out)["labels"]["classes"] == {}
    assert "read.roles.GFP=nucleus" in said[1]


def test_the_cost_is_told_step_by_step(call):
    _, out = call("check", "my images", "--labels", "my labels.csv", "--json")
    cost = json.loads(out)["cost"]
    seconds = cost["cpu_seconds_per_step"]
    assert {"segment", "cells", "train cell", "score cell", "report"} <= set(seconds)
    assert all(value >= 0 for value in seconds.values())
    assert seconds["segment"] > 0
    assert seconds["train cell"] > 0
    assert cost["cpu_seconds"] == pytest.approx(sum(seconds.values()), abs=0.2)


@pytest.mark.parametrize("verb", ["check", "run", "predict"])
def test_exit_codes_are_in_the_help(call, verb):
    _, out = call(verb, "--help")
    text = " ".join(out.split())
    for words in ("0 done", "2 a wrong", "3 done", "4 refused", "5 interrupted", "1 a bug"):
        assert words in text


@settings(max_examples=100, deadline=None)
@given(NAMES, st.lists(st.tuples(st.sampled_from(["--set", "--labels", "--pattern"]), VALUES)))
def test_any_name_and_value_survives_the_shell(folder, given_words):
    words = shlex.split(run_command(Path(folder), given_words))
    assert words[:2] == ["cellwise", "run"]
    assert Path(words[2]) == Path(folder)
    assert not words[2].startswith("-")
    assert words[5:] == [word for pair in given_words for word in pair]


def test_the_run_never_lies_inside_its_images(tmp_path, monkeypatch):
    (tmp_path / "plate").mkdir()
    monkeypatch.chdir(tmp_path / "plate")
    words = shlex.split(run_command(Path(), []))
    assert words == ["cellwise", "run", ".", "--out", str(tmp_path / "plate.run")]


def test_a_run_that_is_there_is_not_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.run").mkdir()
    (tmp_path / "a-2.run").mkdir()
    assert "--out a-3.run" in run_command(Path("a"), [])
    assert "--out mine" in run_command(Path("a"), [], out=Path("mine"))


def test_times_are_said_as_people_do():
    assert [duration(s) for s in (0.2, 80, 600, 9000)] == ["1 s", "80 s", "10 min", "2.5 h"]


def test_one_command_names_the_nucleus_and_works(call, home):
    for number in range(4):
        for channel in ("alpha", "beta"):
            plane = draw(number)[channel == "beta"]
            save(home / "no nucleus" / f"A0{number + 1}_{channel}.png", plane)
    code, out = call("check", "no nucleus", "--recipe", "segment-only")
    assert code == 4
    heading, command = out.splitlines()[-2:]
    assert heading.startswith("Next")
    words = shlex.split(command)
    assert words[:3] == ["cellwise", "check", "no nucleus"]
    assert sum(word == "--set" for word in words) == 1
    code, out = call(*words[1:])
    assert code == 0
    assert out.splitlines()[-1].startswith("cellwise run 'no nucleus'")


def test_no_line_ends_in_a_space(call, home):
    for number in range(4):
        dna, gfp = draw(number)
        gfp[:] = 255 * (gfp > 20)
        save(home / "bright" / f"B0{number + 1}_DNA.png", dna)
        save(home / "bright" / f"B0{number + 1}_GFP.png", gfp)
    _, out = call("check", "bright", "--recipe", "segment-only")
    assert "saturated" in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_run_tells_of_the_fields_that_it_tries(call, home, asked, monkeypatch):
    told = []
    heard = lambda self, done, total, note: told.append(note)  # noqa: E731
    monkeypatch.setattr("cellwise.app.cli.terminal.screen.Progress.__call__", heard)
    call("run", "my images", "--labels", "my labels.csv", "--out", "told.run")
    assert any(note.startswith("trying out") for note in told)


@pytest.mark.slow
def test_it_says_which_classes_the_report_will_not_judge(call, home):
    names = ("few", "few", "few", "many", "many", "many", "many")
    plate(home / "seven", 7)
    rows = [f"{well},{name}" for well, name in zip(wells(7), names, strict=True)]
    (home / "seven.csv").write_text("\n".join(["well,label", *rows, ""]))
    _, out = call("check", "seven", "--labels", "seven.csv")
    assert "3 fields  enough to learn; the report judges from 4 with it and 4 without" in out
    rows = [f"{row},{'b' if row.endswith('few') else row[0] + row[2]}" for row in rows]
    (home / "batches.csv").write_text("\n".join(["well,label,batch", *rows, ""]))
    words = ("check", "seven", "--labels", "batches.csv", "--set", "split.by=Metadata_batch")
    _, out = call(*words)
    assert "3 fields  too few, all in one group" in out
