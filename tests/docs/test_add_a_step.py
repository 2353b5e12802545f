"""The how-to on a step from another package, done as it is written."""

import dataclasses
import importlib
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from tests.docs.written_packages import HOW_TO, commands, declare, do, install, write_files
from tests.faults.fault_runs import (
    Heard,
    command,
    here,
    left_on_disk,
    quarantine,
    record,
    records,
    run,
    states,
)
from tests.worlds import CHANNELS, field, labels, plate, save

from cellwise.app.status import run_status
from cellwise.errors import BadOption, PreflightError
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request

PAGE = HOW_TO / "add-a-step.md"
OURS = ["read", "segment", "cells"]

# A second step of the stranger's, on whole tables: what follows the first.
AFTER_SPEC = """
from cellwise.domain.specs import Noun, Read, StepOptions, StepSpec
from my_spots.spec import SPOTS

SPEC = StepSpec(
    version=1,
    grain="table",
    options=StepOptions,
    reads=(Read(SPOTS),),
    writes=(Noun("spot total", "spot_total.txt"),),
)
"""
AFTER_STEP = """
import polars as pl


def work(job, report):
    total = pl.read_parquet(job.run / "spots.parquet")["spots"].sum()
    (job.run / "spot_total.txt").write_text(str(total))
    return {"total": total}
"""
DIES = """
import os, sys
from pathlib import Path
from tests.faults.fault_runs import Heard, run

class Dies(Heard):
    def step_advanced(self, done, *, total, note):
        if "spots" in self.total:
            os._exit(9)

folder, out, recipe = sys.argv[1:]
run(Path(folder), Path(out), recipe=recipe, listener=Dies())
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The page's files, a plate of eight wells, and the stranger's second step."""
    home = tmp_path_factory.mktemp("own_step")
    write_files(PAGE, home)
    install(home / "my-spots")
    after = home / "my-spots" / "my_total"
    after.mkdir()
    (after / "spec.py").write_text(AFTER_SPEC, encoding="utf-8")
    (after / "step.py").write_text(AFTER_STEP, encoding="utf-8")
    declare(home / "my-spots", "my-total", {"cellwise.stages": {"total": "my_total"}})
    recipe = (home / "spots.yaml").read_text(encoding="utf-8")
    (home / "both.yaml").write_text(f"{recipe}  - total:\n", encoding="utf-8")
    plate(home / "images", 8)
    return home


@pytest.fixture(autouse=True)
def installed(home, monkeypatch):
    monkeypatch.syspath_prepend(home / "my-spots")
    yield
    for name in [
        name for name in sys.modules if name.partition(".")[0] in ("my_spots", "my_total")
    ]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def finished(home):
    """A finished run of the page's recipe with the second step behind it."""
    sys.path.insert(0, str(home / "my-spots"))
    run(home / "images", home / "first.run", recipe=home / "both.yaml")
    sys.path.remove(str(home / "my-spots"))
    return home / "first.run"


@pytest.fixture
def copy(home, finished, tmp_path):
    """The images and the finished run, which a test may change."""
    shutil.copytree(home / "images", tmp_path / "images")
    shutil.copytree(finished, tmp_path / "out.run")
    return tmp_path


def again(home, copy, *settings):
    heard = Heard()
    run(copy / "images", copy / "out.run", *settings, recipe=home / "both.yaml", listener=heard)
    return heard


def table(out):
    return pl.read_parquet(out / "spots.parquet")


@pytest.mark.slow
def test_the_commands_of_the_page_work(home, tmp_path, monkeypatch):
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    installing, *others = commands(PAGE, "Use it")
    assert installing.startswith("pip install")
    said = {}
    for line in others:
        # The run starts anew with the package; the rest is asked in this process.
        if line.startswith("cellwise run"):
            done = do(tmp_path / "home", tmp_path / "home" / "my-spots", "-m", *line.split())
        else:
            done = here(command(*line.split()[1:]))
        assert done.returncode == 0, done.stdout + done.stderr
        said[" ".join(line.split()[:2])] = done.stdout
    assert "spots(channel='protein', above=1.5)" in said["cellwise parts"]
    shown = said["cellwise recipes"].partition("\nspots\n")[2].split()
    assert shown == ["above", "1.8", "recipe", "channel", "protein", "default"]
    assert "spots" in said["cellwise status"]
    assert table(tmp_path / "home" / "spots.run").height > 0


def test_spots_are_those_that_were_drawn(home, copy):
    dark = np.full((96, 96), 30, np.uint8)
    dna = np.zeros((96, 96), np.uint8)
    dna[30:50, 30:50] = 200
    dark[35, 35] = dark[40, 44] = 250
    dark[5, 5] = 250
    for well in copy.glob("images/*"):
        well.unlink()
    save(copy / "images" / "B01_DNA.png", dna)
    save(copy / "images" / "B01_GFP.png", dark)
    out = copy / "drawn.run"
    run(copy / "images", out, recipe=home / "spots.yaml")
    assert table(out)["spots"].sum() >= 2
    inside = pl.read_parquet(out / "cells.parquet").filter(
        (pl.col("x0") <= 35) & (pl.col("x1") > 44) & (pl.col("y0") <= 35) & (pl.col("y1") > 40)
    )
    counted = table(out).join(inside, on=["site_id", "cell_id"])
    assert counted["spots"].to_list() == [2]


def test_the_second_call_finds_everything_as_before(home, finished, copy):
    before = left_on_disk(finished)
    heard = again(home, copy)
    assert heard.reused == [*OURS, "spots", "total"]
    assert heard.total == {}
    assert left_on_disk(copy / "out.run") == before


def test_the_table_goes_where_the_declaration_says(home, copy):
    text = (home / "spots.yaml").read_text(encoding="utf-8")
    two = copy / "two.yaml"
    two.write_text(f"{text}  - spots: {{as: faint, above: 1.1}}\n", encoding="utf-8")
    run(copy / "images", copy / "two.run", recipe=two)
    faint = pl.read_parquet(copy / "two.run" / "spots_faint.parquet")
    assert faint["spots"].sum() > table(copy / "two.run")["spots"].sum()


@pytest.mark.slow
def test_a_killed_run_goes_on_between_two_batches(home, finished, copy):
    out = copy / "killed.run"
    script = [sys.executable, "-c", DIES, copy / "images", out, home / "both.yaml"]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(list(map(str, script)), env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 9
    begun = records(out, "spots")
    assert 0 < begun < 8
    heard = Heard()
    run(copy / "images", out, recipe=home / "both.yaml", listener=heard)
    assert heard.reused == OURS
    assert heard.total == {"spots": 8 - begun, "total": 0}
    assert left_on_disk(out) == left_on_disk(finished)


def test_a_new_field_costs_one_field(home, copy):
    before = table(copy / "out.run")
    field(copy / "images", "C01", 8)
    heard = again(home, copy)
    assert heard.total == {"read": 0, "segment": 1, "cells": 1, "spots": 1, "total": 0}
    assert table(copy / "out.run").filter(pl.col("site_id") != "C01").equals(before)


def test_a_changed_option_costs_this_step(home, copy):
    heard = again(home, copy, "spots.above=1.2")
    assert heard.reused == OURS
    assert heard.total == {"spots": 8, "total": 0}
    assert heard.why["spots"] == "above: 1.8 -> 1.2; 8 changed"


def test_a_table_that_is_gone_is_made_again(home, finished, copy):
    (copy / "out.run" / "spots.parquet").unlink()
    heard = again(home, copy)
    assert heard.total == {"spots": 8}
    assert left_on_disk(copy / "out.run") == left_on_disk(finished)


def test_a_site_that_its_work_refuses_is_set_aside(home, copy):
    out = copy / "out.run"
    pixels = np.full((96, 96), 255, np.uint8)
    # With every pixel saturated no step would see it.
    pixels[:20] = 9
    save(copy / "images" / f"A03_{CHANNELS[1]}.png", pixels)
    again(home, copy)
    (row,) = quarantine(out)
    assert (row["path"], row["stage"], row["code"]) == ("A03", "spots", "saturated")
    assert row["reason"] == "more than half of channel 'protein' is saturated"
    assert set(table(out)["site_id"]) == {f"A{n:02d}" for n in range(1, 9)} - {"A03"}
    assert run_status(out)["quarantined"] == 1
    assert again(home, copy).reused == [*OURS, "spots", "total"], "a refused site stays aside"


def test_a_raised_version_redoes_this_step_and_what_follows(home, copy, monkeypatch):
    spec = importlib.import_module("my_spots.spec")
    monkeypatch.setattr(spec, "SPEC", dataclasses.replace(spec.SPEC, version=2))
    heard = again(home, copy)
    assert heard.reused == OURS
    assert heard.total == {"spots": 8, "total": 0}
    (said,) = heard.before_work
    assert said.startswith("spots is done again: cellwise does it differently since (version 2)")
    assert "total" in said


def test_its_state_is_shown(copy):
    steps = {step["name"]: step for step in run_status(copy / "out.run")["steps"]}
    assert (steps["spots"]["state"], steps["spots"]["sites"]) == ("done", 8)
    assert record(copy / "out.run")["counts"]["spots"] == table(copy / "out.run")["spots"].sum()


@pytest.mark.slow
def test_workers_do_it_as_well(home, finished, copy, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    run(copy / "images", copy / "wide.run", recipe=home / "both.yaml", workers=2)
    assert left_on_disk(copy / "wide.run") == left_on_disk(finished)


@pytest.mark.parametrize(
    ("setting", "error", "words"),
    [
        ("spots.abvoe=2", BadOption, "Step 'spots' has no option 'abvoe'. Did you mean 'above'?"),
        ("spots.above=1", BadOption, "above is more than 1, not 1.0"),
        ("spots.above=[1]", BadOption, "Step 'spots', option 'above'"),
    ],
)
def test_wrong_options_are_refused_before_work(home, tmp_path, setting, error, words):
    with pytest.raises(error, match=re.escape(words)):
        run(home / "images", tmp_path / "no.run", setting, recipe=home / "both.yaml")
    assert not (tmp_path / "no.run").exists()


def test_a_channel_that_no_image_has_is_refused_before_segmenting(home, tmp_path):
    with pytest.raises(PreflightError, match="no channel is called 'ruby'"):
        run(home / "images", tmp_path / "no.run", "spots.channel=ruby", recipe=home / "both.yaml")
    assert set(states(tmp_path / "no.run")) == {"read"}


LEARNS = """
  - split: {folds: 2}
  - label: {as: inherited, by: inherit}
  - train: {as: cell, labels: inherited, net: {name: tiny, width: 4}, epochs: 1, threads: 1}
  - score: {as: cell, model: cell, threads: 1}
  - decide: {from: [cell]}
"""


@pytest.mark.long
def test_predict_does_it_on_new_images(home, tmp_path):
    recipe = tmp_path / "learns.yaml"
    recipe.write_text((home / "spots.yaml").read_text(encoding="utf-8") + LEARNS, encoding="utf-8")
    given = labels(tmp_path / "labels.csv", 8)
    run(home / "images", tmp_path / "fitted.run", recipe=recipe, labels=given)
    plate(tmp_path / "others", 2)
    request = fitted_request(
        tmp_path / "fitted.run", tmp_path / "others", tmp_path / "new.run", workers=1
    )
    heard = Heard()
    run_pipeline(request, heard)
    assert heard.total["spots"] == 2
    drawn_alike = table(tmp_path / "fitted.run").filter(pl.col("site_id").is_in(["A01", "A02"]))
    assert table(tmp_path / "new.run").equals(drawn_alike)
