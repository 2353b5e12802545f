"""One plan for `check` and `run`: what is read, what goes on, and what is said before work."""

import dataclasses
import importlib
import shutil
import sys
from collections import Counter

import pytest
from tests.faults.fault_runs import PLAIN, Heard, left_on_disk, record, run, states
from tests.worlds import field, labels, plate, wells

from cellwise.errors import PreflightError
from cellwise.flow.check import check_folder
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request
from cellwise.stages.read import listing
from cellwise.store.images import headers

STEPS = ["read", "segment", "cells"]


@pytest.fixture
def opened(monkeypatch):
    """How often each header was opened, wherever the reader is called from."""
    counts = Counter()
    real = headers.read_header

    def counting(path):
        counts[str(path)] += 1
        return real(path)

    for module in _importers(real):
        monkeypatch.setattr(module, "read_header", counting)
    return counts


def _importers(function):
    mine = [m for name, m in list(sys.modules.items()) if name.startswith("cellwise")]
    found = [m for m in mine if vars(m).get("read_header") is function]
    assert listing in found or len(found) > 1
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A labelled plate and its run with a seed and settings of its own, named with all words."""
    home = tmp_path_factory.mktemp("plan")
    plate(home / "images", 4)
    labels(home / "labels.csv", 4)
    own = home / "own.yaml"
    text = PLAIN.read_text(encoding="utf-8")
    own.write_text(f"{text}  - split: {{folds: 2}}\n", encoding="utf-8")
    given = {"labels": home / "labels.csv", "seed": 5}
    run(home / "images", home / "out.run", "cells.size=20", recipe=own, **given)
    return home


@pytest.fixture
def home(first, tmp_path):
    shutil.copytree(first, tmp_path / "home")
    return tmp_path / "home"


def bare(home, **options):
    """The shortest command: the folder and the run."""
    heard = Heard()
    request = make_request(home / "images", home / "out.run", device="cpu", workers=1, **options)
    run_pipeline(request, heard)
    return heard


def test_check_opens_each_header_once(first, opened):
    check_folder(first / "images", labels=first / "labels.csv")
    assert opened == {str(path): 1 for path in (first / "images").iterdir()}


def test_run_opens_each_header_once_and_a_resume_none(tmp_path, opened):
    plate(tmp_path / "images", 3)
    request = make_request(tmp_path / "images", tmp_path / "out.run", device="cpu", workers=1)
    assert request.recipe.name == "segment-only"
    run_pipeline(request)
    assert opened == {str(path): 1 for path in (tmp_path / "images").iterdir()}
    opened.clear()
    bare(tmp_path)
    assert not opened


def test_a_named_recipe_opens_each_header_once(home, opened):
    run(home / "images", home / "named.run")
    assert set(opened.values()) == {1}
    assert len(opened) == 8


@pytest.mark.long
def test_real_plates_open_each_header_once(shared_data, tmp_path, opened):
    folder = shared_data / "rxrx1_sites"
    if not folder.is_dir():
        pytest.skip("the RxRx1 sites (../shared/data/rxrx1_sites) are not here")
    facts = check_folder(folder)
    assert set(opened.values()) == {1}
    checked = set(opened)
    opened.clear()
    request = make_request(folder, tmp_path / "out.run", device="cpu", workers=2)
    assert request.recipe.name == facts["recipe"]
    # What the folder lacks is known once it is read, before anything is opened again.
    with pytest.raises(PreflightError, match="Only one class"):
        run_pipeline(request, AfterReading())
    assert set(opened.values()) == {1}
    assert set(opened) == checked
    opened.clear()
    with pytest.raises(PreflightError, match="Only one class"):
        run_pipeline(
            make_request(folder, tmp_path / "out.run", device="cpu", workers=2),
            AfterReading(),
        )
    assert not opened


class Enough(BaseException):
    """The folder is read; segmenting it is not what is asked."""


class AfterReading(Heard):
    def step_started(self, name, *, total, unit, why):
        if name != "read":
            raise Enough


@pytest.mark.parametrize("labelled", [True, False])
def test_check_and_run_choose_the_same_recipe(first, tmp_path, labelled):
    given = {"labels": first / "labels.csv"} if labelled else {}
    facts = check_folder(first / "images", **given)
    request = make_request(first / "images", tmp_path / "new.run", **given)
    assert facts["recipe"] == request.recipe.name
    why = "one label for each field, Negative is one of them" if labelled else "no labels"
    assert facts["recipe_because"] == why


def test_a_run_goes_on_as_it_began(first, home):
    heard = bare(home)
    assert heard.reused == [*STEPS, "split"]
    assert heard.messages == []
    now, before = record(home / "out.run"), record(first / "out.run")
    assert now["seed"] == 5
    assert now["recipe"] == before["recipe"]
    assert left_on_disk(home / "out.run") == left_on_disk(first / "out.run")


def test_a_run_goes_on_without_its_labels_file(first, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(first / "images", home / "images", copy_function=shutil.copy2)
    labels(home / "labels.csv", 4)
    run(home / "images", home / "out.run", labels=home / "labels.csv")
    (home / "labels.csv").unlink()
    heard = bare(home)
    assert (heard.reused, heard.total, heard.messages) == (STEPS, {}, [])
    assert bare(home).reused == STEPS, "the digest of the file stays on record"


def test_another_recipe_is_taken_where_it_is_named(home):
    heard = bare(home, recipe="segment-only")
    assert record(home / "out.run")["recipe"]["name"] == "segment-only"
    assert {"segment"} <= {*heard.reused, *heard.total}
    assert "cells is done again: size: 20 -> 64" in "".join(heard.before_work)


def test_what_is_redone_is_said_before_work(home):
    heard = bare(home, settings=["cells.size=24"])
    assert heard.before_work == ["cells is done again: size: 20 -> 24."]
    assert heard.total == {"cells": 4}


def test_what_follows_is_said_as_looked_at_only(home):
    heard = bare(home, settings=["segment.name=grid"])
    (said,) = heard.before_work
    assert said.startswith("segment is done again: ")
    assert "name: watershed -> grid" in said
    assert said.endswith("; what follows is looked at again: cells, split.")
    assert {"segment", "cells"} <= set(heard.total)


def test_masks_of_ones_own_may_take_the_place_of_a_segmenter_later(first, home):
    heard = bare(home, masks=first / "out.run" / "masks")
    assert heard.before_work[0].startswith("segment is done again: ")
    assert heard.total["segment"] == 4


def test_another_seed_is_said_with_the_steps_that_draw(home):
    heard = bare(home, seed=6)
    assert heard.before_work == ["split is done again: seed: 5 -> 6."]
    assert set(heard.total) == {"split"}


def test_the_same_labels_in_another_place_are_no_change(home):
    shutil.move(home / "labels.csv", home / "elsewhere.csv")
    heard = bare(home, labels=home / "elsewhere.csv")
    assert heard.before_work == []
    assert heard.total == {}


def test_other_labels_are_said(home):
    labels(home / "labels.csv", 3)
    heard = bare(home, labels=home / "labels.csv")
    (said,) = heard.before_work
    assert said.startswith("read is done again: labels: another content")
    assert "read" in heard.total
    assert {"segment", "cells"} <= set(heard.reused)


def test_a_step_that_never_ran_is_not_said_to_be_done_again(home):
    (home / "out.run" / "done" / "split.jsonl").unlink()
    heard = bare(home, settings=["split.folds=3"])
    assert heard.before_work == []
    assert heard.total == {"split": 0}


def test_new_images_are_said(home):
    field(home / "images", "B05", 7)
    heard = bare(home)
    (said,) = heard.before_work
    assert said.startswith("The image folder changed: new and changed fields are worked on")
    assert heard.total["segment"] == heard.total["cells"] == 1


def test_a_raised_version_is_said_and_redoes_that_step(home, monkeypatch):
    spec = importlib.import_module("cellwise.stages.cells.spec")
    raised = dataclasses.replace(spec.SPEC, version=spec.SPEC.version + 1)
    monkeypatch.setattr(spec, "SPEC", raised)
    heard = bare(home)
    assert heard.before_work[0].startswith("cells is done again: cellwise does it differently")
    assert set(heard.total) == {"cells"}
    assert states(home / "out.run")["segment"] == "reused"
    assert wells(4) == sorted({path.name[:3] for path in (home / "images").iterdir()})
