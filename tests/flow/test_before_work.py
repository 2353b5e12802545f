"""What a recipe needs is said before any work: weights, groups, folds, disk."""

import dataclasses
import shutil
from collections import namedtuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.plates import treated, write_labels, write_plate
from tests.worlds import wells

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import FolderFacts
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError
from cellwise.flow.check import check_folder
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request
from cellwise.parts import nets
from cellwise.stages.train.spec import Options
from cellwise.stages.train.step import foresee

Usage = namedtuple("Usage", "total used free")
CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Eight labelled wells."""
    home = tmp_path_factory.mktemp("plate")
    names = wells(8)
    write_plate(home / "images", names, nuclear=treated)
    write_labels(home / "labels.csv", names)
    return home


def recipe(home, **options):
    backbone = {"name": "backbone", "model": "resnet10t", "pretrained": True}
    image = {"task": {"name": "image", "size": 64}, "net": backbone, **options}
    steps = [
        {"read": None},
        {"segment": "watershed"},
        {"cells": {"size": 512}},
        {"split": {"folds": 2}},
        {"train": {"as": "one", **image}},
        {"train": {"as": "two", **image, "net": {**backbone, "model": "resnet18"}}},
        {"score": {"as": "one", "model": "one", "by": "masked_view"}},
        {"decide": {"from": "one"}},
    ]
    path = home / "recipe.yaml"
    path.write_text(yaml.safe_dump({"format": 1, "steps": steps}))
    return str(path)


def run(plate, out, **options):
    request = make_request(
        plate / "images", out, recipe=recipe(out.parent, **options), workers=1, device="cpu",
        labels=plate / "labels.csv",
    )  # fmt: skip
    run_pipeline(request)


def refuse(model):
    raise PreflightError(f"The published weights of {model!r} could not be fetched.")


def test_weights_that_cannot_be_had_are_refused_together_before_any_work(
    plate, tmp_path, monkeypatch
):
    monkeypatch.setattr(nets, "is_cached", lambda model: False)
    monkeypatch.setattr(nets, "fetch_weights", refuse)
    with pytest.raises(PreflightError, match=r"train one.*resnet10t.*weights of resnet18"):
        run(plate, tmp_path / "run")
    assert not (tmp_path / "run" / "masks").exists()


def test_weights_that_are_here_are_not_fetched(monkeypatch):
    options = {"net": {"name": "backbone", "model": "resnet10t", "pretrained": True}}
    from cellwise.stages.train import step

    monkeypatch.setattr(nets, "is_cached", lambda model: model == "resnet10t")
    assert step.missing(options) == []
    other = {"net": {"name": "backbone", "model": "resnet18", "pretrained": True}}
    assert step.missing(other) == ["weights of resnet18"]
    assert step.missing({"net": {"name": "backbone", "model": "resnet18"}}) == []
    assert step.missing({"net": "tiny"}) == []


def test_a_cache_is_known_by_its_files(tmp_path, monkeypatch):
    import torch
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    assert not nets.is_cached("resnet10t")
    place = tmp_path / "hub" / "models--timm--resnet10t.c3_in1k"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc")
    (place / "snapshots" / "abc").mkdir(parents=True)
    (place / "snapshots" / "abc" / "model.safetensors").write_bytes(b"weights")
    assert nets.is_cached("resnet10t")
    assert not nets.is_cached("resnet18")


def test_check_says_what_will_be_fetched_and_what_a_cell_takes(plate, tmp_path, monkeypatch):
    monkeypatch.setattr(nets, "is_cached", lambda model: False)
    facts = check_folder(
        plate / "images", labels=plate / "labels.csv", recipe=recipe(tmp_path, validate=0.5),
        settings={"split.by": "Metadata_Replicate"},
    )  # fmt: skip
    said = " ".join(facts["warnings"])
    assert "weights of resnet10t, weights of resnet18" in said
    # Two channels of 512 x 512 numbers of two bytes.
    assert "1.0 MB for each cell" in said
    # Two replicates in two folds leave one beside each.
    (one, two) = [one for one in facts["refused"] if one["code"] == "validate"]
    assert one["settings"] == ("one.validate=0",)
    assert two["settings"] == ("two.validate=0",)


def test_a_disk_too_small_for_kept_fields_is_refused(plate, tmp_path, monkeypatch):
    monkeypatch.setattr(nets, "is_cached", lambda model: True)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**9, 0, 10**5))
    with pytest.raises(PreflightError, match=r"keep 0\.\d GB of fields and models on disk"):
        run(plate, tmp_path / "run")
    assert not (tmp_path / "run" / "masks").exists()


def test_models_of_all_folds_are_told_and_one_set_of_checkpoints(tmp_path):
    net = {"name": "backbone", "model": "resnet18", "pretrained": False}
    options = {"net": net, "task": {"name": "image", "size": 64}, "epochs": 1}
    learning = Job(tmp_path, tmp_path, "net", options, "k", 0)
    classes = ClassList(("A", "Negative"), "Negative")
    five = dataclasses.replace(facts(20, 20, 5), classes=classes)
    said = foresee(learning, five)
    one = said.kept["models of net"] / 5
    # 11.2 million weights of four bytes.
    assert 44e6 < one < 46e6
    assert said.passing > 6 * one
    some = dataclasses.replace(learning, options={**options, "folds": [0, 2]})
    assert foresee(some, five).kept["models of net"] == 2 * one


def facts(count, groups=0, folds=0):
    sites = tuple(Site(f"s{n}", f"s{n}", (), labels=("A",)) for n in range(count))
    return FolderFacts(sites, CHANNELS, None, "", groups, folds)


def job(tmp_path, **options):
    given = Options.of({"task": {"name": "image", "size": 1024}, **options})
    return Job(tmp_path, tmp_path, "net", given.model_dump(by_alias=True), "k", 0)


def test_fields_are_counted_once_for_all_steps_that_share_them(tmp_path):
    own = foresee(job(tmp_path), facts(10))
    assert (own.kept, own.passing) == ({}, 10 * 2 * 1024**2 * 2)
    shared = foresee(job(tmp_path, cache="uint8"), facts(10))
    assert dict(shared.kept) == {"fields 1024 uint8": 10 * 2 * 1024**2}
    assert shared.passing == 0
    crops = foresee(job(tmp_path, task="bag"), facts(10))
    assert (crops.kept, crops.passing) == ({}, 0)


@given(groups=st.integers(2, 40), folds=st.integers(2, 6))
def test_groups_to_set_aside_are_refused_where_no_split_can_leave_two(
    tmp_path_factory, groups, folds
):
    said = foresee(job(tmp_path_factory.getbasetemp(), validate=0.1), facts(4, groups, folds))
    # Shared out as evenly as can be: what is left beside the fullest fold.
    fullest = max(len(range(fold, groups, folds)) for fold in range(folds))
    assert bool(said.refusals) == (groups - fullest < 2)


def test_a_fold_that_the_split_does_not_make_is_refused_with_the_cure(tmp_path):
    (said,) = foresee(job(tmp_path, folds=[1, 4]), facts(4, 20, 3)).refusals
    assert "fold 4" in str(said)
    assert said.settings == ("split.folds=5",)
    assert not foresee(job(tmp_path, folds=[1, 2]), facts(4, 20, 3)).refusals
