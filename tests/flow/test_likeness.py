"""A finished run applied to images that are unlike those it learned from: said, never refused."""

import shutil

import numpy as np
import polars as pl
import pytest
from tests.faults.fault_runs import run
from tests.worlds import SIZE, draw, labels, save, wells

from cellwise.domain.channels import Channel
from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Job
from cellwise.flow.likeness import unlike_words
from cellwise.stages.score.step import foresee
from cellwise.store.run.folder import RunFolder

ARCHIVE = "tests/archives/format-1"


def images(folder, count, *, change=lambda plane: plane, first=0, pitch=32):
    for number, well in enumerate(wells(count)):
        planes = draw(first + number, nuclear=number % 2 == 0, pitch=pitch, size=SIZE)
        for name, plane in zip(("DNA", "GFP"), planes, strict=True):
            save(folder / f"{well}_{name}.png", change(plane))
    return folder


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    home = tmp_path_factory.mktemp("likeness")
    images(home / "images", 6)
    labels(home / "labels.csv", 6)
    run(home / "images", home / "old.run", labels=home / "labels.csv")
    return home


def words_of(learned, tmp_path, **options):
    images(tmp_path / "images", 3, first=50, **options)
    run(tmp_path / "images", tmp_path / "new.run")
    return unlike_words(RunFolder(learned / "old.run"), RunFolder(tmp_path / "new.run"))


def test_fields_of_the_same_kind_are_no_reason_to_cry(learned, tmp_path):
    assert words_of(learned, tmp_path) == []


def test_a_third_brighter_is_the_same_kind(learned, tmp_path):
    brighter = words_of(learned, tmp_path, change=lambda p: np.clip(p * 1.3, 0, 255).astype("u1"))
    assert brighter == []


def test_much_darker_fields_are_told_by_channel(learned, tmp_path):
    words = words_of(learned, tmp_path, change=lambda p: (p // 5).astype("u1"))
    assert any("channel nucleus is 0." in text and "as bright" in text for text in words)
    assert all(text.startswith("Unlike the images that were learned from:") for text in words)


def test_fields_seen_at_another_scale_are_told(learned, tmp_path):
    words = words_of(learned, tmp_path, change=lambda p: p.repeat(3, 0).repeat(3, 1))
    text = " ".join(words)
    assert "fields are 288 px wide, there 96" in text
    assert "cells are" in text


def test_a_run_without_its_tables_says_nothing(learned, tmp_path):
    shutil.copytree(learned / "old.run", tmp_path / "bare.run")
    for name in ("pixels", "cells"):
        (tmp_path / "bare.run" / f"{name}.parquet").unlink()
    assert unlike_words(RunFolder(tmp_path / "bare.run"), RunFolder(learned / "old.run")) == []


def facts(*channels):
    channels = tuple(Channel(*pair) for pair in channels)
    files = tuple(ChannelFile(channel, ("x.png",)) for channel in channels)
    return FolderFacts((Site("a", "a", files),), channels)


@pytest.fixture
def asked(request, tmp_path):
    fitted = request.config.rootpath / ARCHIVE
    options = {"model": "cell", "by": "cell_net"}
    job = Job(tmp_path, tmp_path, "score", options, key="", seed=0, fitted=fitted)
    return lambda *channels: foresee(job, facts(*channels))


def test_a_lacking_channel_is_refused_with_words_to_paste(asked):
    (refusal,) = asked(("DNA", "nucleus"), ("w2", None)).refusals
    assert "protein" in refusal.reason
    assert "--set 'read.roles.w2=protein'" in refusal.remedy


def test_further_channels_are_named(asked):
    found = asked(("DNA", "nucleus"), ("GFP", "protein"), ("w3", "actin"))
    assert found.refusals == ()
    assert "w3" in found.warnings[0]
    assert asked(("DNA", "nucleus"), ("GFP", "protein")) == Foresight()


def test_the_tables_that_are_compared_are_there(learned):
    frame = pl.read_parquet(learned / "old.run" / "pixels.parquet")
    assert {"mean", "focus"} <= set(frame.columns)
