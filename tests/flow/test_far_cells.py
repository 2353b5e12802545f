"""New cells that are of another kind than those learned from: told, and nothing promised."""

import json

import polars as pl
import pytest
from tests.kernels.far.test_far_cells import EACH, cells, exchanged

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import EMBEDDINGS, SITES
from cellwise.flow.far_cells import far_cells
from cellwise.stages.export._sets import set_columns
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import empty_frame, write_table


def made(folder, vectors, *, labels, maker="measured 1", name="measured"):
    """A run with these vectors of cells, six of each site."""
    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    names = [f"s{n:02d}" for n in range(len(vectors) // EACH)]
    part = "train" if labels else "unlabelled"
    sites = [Site(name, name, file, part, labels) for name in names]
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    place = run.embeddings(name)
    place.mkdir(parents=True)
    rows = []
    for number, site in enumerate(names):
        own = vectors[EACH * number : EACH * (number + 1)]
        shard = write_vectors(place, site, own, dtype="float32", missing=True)
        rows += [
            ("cell", site, cell + 1, shard, cell, vectors.shape[1], None, maker)
            for cell in range(EACH)
        ]
    index = pl.DataFrame(rows, schema=empty_frame(EMBEDDINGS).schema, orient="row")
    write_table(index_path(place), EMBEDDINGS, index)
    seal(place, index, "float32", {"missing": True})
    return run


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return made(tmp_path_factory.mktemp("old") / "run", cells(0), labels=("a",))


def test_channels_exchanged_under_right_names_are_told(tmp_path, fitted):
    run = made(tmp_path / "new", exchanged(cells(1, 60)), labels=None)
    found = far_cells(fitted, run, "measured")
    assert found is not None
    assert found.facts["unlike"]
    assert found.facts["far"] > 0.5
    assert f"{found.facts['far']:.0%} of the cells lie far from all" in found.words
    assert "are channels exchanged" in found.words


def test_new_cells_of_the_same_kind_are_no_reason_to_cry(tmp_path, fitted):
    found = far_cells(fitted, made(tmp_path / "new", cells(1, 60), labels=None), "measured")
    assert found is not None
    assert (found.facts["unlike"], found.words) == (False, "")


def test_what_cannot_be_compared_says_nothing(tmp_path, fitted):
    new = exchanged(cells(1, 60))
    other = made(tmp_path / "other", new, labels=None, maker="measured 2")
    assert far_cells(fitted, other, "measured") is None
    assert far_cells(fitted, other, "seen") is None
    nobody = made(tmp_path / "unlabelled", cells(0), labels=None)
    assert far_cells(nobody, made(tmp_path / "new", new, labels=None), "measured") is None


@pytest.mark.parametrize("unlike", [True, False])
def test_exports_abstain_from_cells_of_another_kind(tmp_path, unlike):
    run = RunFolder(tmp_path)
    run.record.write_text(json.dumps({"far_cells": {"measured": {"unlike": unlike}}}))
    rows = pl.DataFrame({"site_id": ["s", "s"], "cell_id": [1, 2], "border": [True, False]})
    (why,) = set_columns(type("Run", (), {"path": run.path})())(rows)
    assert why.name == "Abstain"
    assert why.to_list() == (["border|unlike", "unlike"] if unlike else ["border", None])
