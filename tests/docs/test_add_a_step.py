"""The how-to on a step from another package, done as it is written."""

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from tests.docs.written_packages import HOW_TO, commands, declare, do, install, write_files
from tests.faults.fault_runs import Heard, left_on_disk, quarantine, record, records, run, states
from tests.worlds import CHANNELS, field, plate, save

from cellwise.app.status import run_status
from cellwise.errors import BadOption, PreflightError

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
from tests.faults.fault_runs import Heard, run

class Dies(Heard):
    def step_advanced(self, done, *, total, note):
        if "spots" in self.total:
            os._exit(9)

folder, out, recipe = sys.argv[1:]
run(folder, out, recipe=recipe, listener=Dies())
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
    (home / "spots.yaml").write_text(recipe, encoding="utf-8")
    (home / "both.yaml").write_text(f"{recipe}  - total:\n", encoding="utf-8")
    plate(home / "images", 8)
    return home


@pytest.fixture(autouse=True)
def installed(home, monkeypatch):
    monkeypatch.syspath_prepend(home / "my-spots")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("my_spots", "my_total")]:
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


def spots_by_hand(out, images, above):
    """Spots of every cell, pixel by pixel."""
    found = {}
    for path in sorted(images.glob("*_GFP.png")):
        site = path.name.removesuffix("_GFP.png")
        from cellwise.store.images.plain import read_plain  # replaced below

    return found


def test_the_commands_of_the_page_work(home, tmp_path):
    shutil.copytree(home, tmp_path / "home")
    installing, *others = commands(PAGE, "Use it")
    assert installing.startswith("pip install")
    said = {}
    for line in others:
        done = do(tmp_path / "home", tmp_path / "home" / "my-spots", "-m", *line.split())
        assert done.returncode == 0, done.stdout + done.stderr
        said[" ".join(line.split()[:2])] = done.stdout
    assert "spots(channel='protein', above=1.5)" in said["cellwise parts"]
    assert "above            1.8" in said["cellwise recipes"]
    assert "spots" in said["cellwise status"]
    assert table(tmp_path / "home" / "spots.run").height > 0
