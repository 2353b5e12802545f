"""A new field costs one field in every step that works field by field."""

import csv
import shutil

import pytest
from tests.faults.fault_runs import Heard
from tests.plates import treated, write_labels, write_plate
from tests.worlds import wells

from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request, make_request

pytestmark = pytest.mark.long

RECIPE = """
format: 1
steps:
  - read:
  - segment: watershed
  - cells: {size: 24}
  - split: {folds: 2}
  - label: {as: inherited, by: inherit}
  - train: {as: cell, labels: inherited, net: {name: tiny, width: 4}, epochs: 1, threads: 1}
  - score: {as: cell, model: cell, threads: 1}
  - embed: {as: features, name: net, model: cell, threads: 1}
  - decide: {from: [cell]}
  - evaluate: {draws: 20}
"""
BY_SITE = ("segment", "cells", "score cell", "embed features")
LEARNED = {"train cell", "label inherited", "split"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Eight labelled wells and their run."""
    home = tmp_path_factory.mktemp("fields")
    write_plate(home / "images", wells(8), nuclear=treated)
    write_labels(home / "labels.csv", wells(8))
    (home / "small.yaml").write_text(RECIPE, encoding="utf-8")
    given = {"labels": home / "labels.csv", "recipe": str(home / "small.yaml")}
    request = make_request(home / "images", home / "run", device="cpu", workers=1, **given)
    run_pipeline(request)
    return home


@pytest.fixture
def home(first, tmp_path):
    shutil.copytree(first, tmp_path / "home")
    return tmp_path / "home"


def again(home, **options):
    heard = Heard()
    request = make_request(home / "images", home / "run", device="cpu", workers=1, **options)
    run_pipeline(request, heard)
    return heard


def test_an_unlabelled_field_costs_itself_and_nothing_is_learned_anew(home):
    write_plate(home / "images", ["B01"], nuclear=treated)
    heard = again(home)
    assert {name: heard.total[name] for name in BY_SITE} == dict.fromkeys(BY_SITE, 1)
    assert set(heard.reused) & LEARNED >= {"train cell", "label inherited"}
    assert not {"train cell", "label inherited"} & set(heard.total)


def test_a_labelled_field_is_learned_from_and_segmented_alone(home):
    write_plate(home / "images", ["B01"], nuclear=treated)
    with (home / "labels.csv").open("a", newline="") as handle:
        csv.writer(handle).writerow(["B01", "Negative", 0])
    heard = again(home, labels=home / "labels.csv")
    assert heard.total["segment"] == heard.total["cells"] == 1
    assert set(heard.total) >= LEARNED
    assert heard.total["score cell"] == 9, "all fields are scored by other models"


def test_the_finished_run_alone_does_nothing(home):
    heard = again(home)
    assert (heard.total, heard.before_work) == ({}, [])


def test_predictions_of_a_new_field_cost_one_field(home):
    write_plate(home / "others", ["C01", "C02"], nuclear=treated)
    for expected in (2, 1):
        heard = Heard()
        request = fitted_request(
            home / "run", home / "others", home / "new", device="cpu", workers=1
        )
        run_pipeline(request, heard)
        assert {name: heard.total[name] for name in BY_SITE} == dict.fromkeys(BY_SITE, expected)
        write_plate(home / "others", ["C03"], nuclear=treated)
