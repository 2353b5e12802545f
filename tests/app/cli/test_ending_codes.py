"""The command ends with the code that the product promises, and with one message."""

import pytest
from tests.faults.fault_runs import PLAIN, call, command, here, words
from tests.worlds import plate


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return plate(tmp_path_factory.mktemp("codes") / "images", 2)


def one_message(done, code, *parts):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    for part in parts:
        assert part in last


def test_a_wrong_setting_ends_with_2_and_makes_nothing(images, tmp_path):
    out = tmp_path / "out.run"
    done = here(words(images, out, "--set", "cells.siez=9"))
    one_message(done, 2, "cellwise: ", "Did you mean 'size'?")
    assert not out.exists()


def test_an_error_of_the_program_ends_with_1_and_says_what_to_report(tmp_path, monkeypatch):
    def broken(run):
        raise ZeroDivisionError(str(run))

    monkeypatch.setattr("cellwise.app.cli.status.run_status", broken)
    done = here(command("status", tmp_path))
    assert done.returncode == 1
    assert f"ZeroDivisionError: {tmp_path}" in done.stderr
    assert "cellwise doctor" in done.stderr.splitlines()[-1]


def test_a_missing_folder_ends_with_4(tmp_path):
    out = tmp_path / "out.run"
    one_message(here(words(tmp_path / "nowhere", out)), 4, "nowhere")
    assert not out.exists()


def test_a_run_with_something_set_aside_ends_with_3_and_says_where(tmp_path):
    images = plate(tmp_path / "images", 2)
    # Two files of one field: the file of reasons has a row for each, people count fields.
    (images / "A01_DNA.png").write_bytes(b"")
    (images / "A01_GFP.png").write_bytes(b"")
    done = call(words(images, tmp_path / "out.run"))
    assert done.returncode == 3, done.stderr
    assert " · 1 field set aside (" in done.stdout
    assert "quarantine.csv" in done.stdout
    assert "exit 3" in done.stdout


def test_labels_without_an_image_are_said_at_the_end(images, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("well,label\nA01,x\nH12,y\n")
    done = here(words(images, tmp_path / "out.run", "--labels", labels))
    assert done.returncode == 0, done.stderr
    assert "noticed: 1 row of labels without an image" in done.stdout


def test_a_log_gets_plain_lines(images, tmp_path):
    done = call(words(images, tmp_path / "out.run"))
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0] == "read: ..."
    assert "segment: 2 sites ..." in lines
    assert lines[-1].startswith("cells: done in ")
    assert "\x1b" not in done.stderr
    again = here(words(images, tmp_path / "out.run"))
    assert all(": as before" in line for line in again.stderr.splitlines())
    other = here(words(images, tmp_path / "out.run", "--set", "cells.size=20"))
    assert "cells: 2 sites (size: 24 -> 20; 2 changed) ..." in other.stderr.splitlines()


@pytest.mark.parametrize("words", [["rum"], ["models", "pull"]])
def test_an_unknown_verb_ends_with_2_and_is_named(words):
    done = call(command(*words))
    assert done.returncode == 2
    assert f"No such command '{words[-1]}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_is_the_same_without_the_script_on_the_path():
    done = call(command("--version"))
    assert done.returncode == 0
    assert done.stdout.startswith("cellwise ")
    assert PLAIN.is_file()
