"""`--world rxrx1`: the folder is read as RxRx1, the truth is whole, the bytes are the seed's."""

import hashlib
from dataclasses import replace
from itertools import islice

import numpy as np
import polars as pl
import pytest

from cellwise.errors import UnknownName, UsageError
from cellwise.lab.simulate import rxrx1
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.stages.read._understand import understand
from cellwise.stages.read.spec import Options
from cellwise.store.images.fields import read_field
from cellwise.store.worlds.truth import read_truth

pytestmark = pytest.mark.slow

SITES = 2 * (8 + 124)


def request(out, **changes):
    settings = {"seed": 3, "classes": 8, "size": 48, "sites": 2 * SITES, **changes}
    asked = SimulateRequest(out=out, world="rxrx1", **settings)
    return asked.resolved(rxrx1.DEFAULTS)


def make(out, **changes):
    out.mkdir()
    return rxrx1.simulate(request(out, **changes), lambda done, total, note: None)


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("rxrx1") / "world"
    counts = make(out)
    assert counts["sites"] == 2 * SITES
    assert counts["experiments"] == 2
    return out


def test_the_reader_finds_every_site_usable(world):
    reading = understand(world, Options())
    assert reading.layout == "rxrx1"
    assert not reading.problems
    assert len(reading.usable) == len(reading.sites) == 2 * SITES
    roles = [channel.role for channel in reading.sites[0].channels]
    assert roles == ["nucleus", "er", "actin", "rna", "mitochondria", "golgi"]
    parts = {site.metadata["Experiment"]: site.part for site in reading.sites}
    assert parts == {"HUVEC-01": "train", "HUVEC-02": "test"}
    known = {site.id: site.labels for site in reading.sites}
    for row in read_truth(world).sites.iter_rows(named=True):
        given = tuple(row["given"]) or None
        assert known[row["site_id"]] == given
    hidden = [site for site in reading.sites if site.labels is None]
    assert {site.part for site in hidden} == {"test"}
    assert len(hidden) == 2 * 8


def test_the_truth_holds_masks_cells_and_plates(world):
    truth = read_truth(world)
    assert truth.world["world"] == "rxrx1"
    assert truth.world["treatments"] == 8
    assert len(truth.world["classes"]) == 8 + 31
    assert len(truth.site_ids()) == 2 * SITES
    site = truth.site_ids()[100]
    masks = truth.masks(site)
    rows = truth.cells.filter(pl.col("site_id") == site)
    assert rows["cell_id"].to_list() == np.unique(masks.cells)[1:].tolist()
    sirna = truth.sites.filter(pl.col("site_id") == site)["sirna"].item()
    assert rows["classes"].to_list() == [[sirna]] * rows.height
    for column in ("cell_type", "experiment", "plate", "well", "part", "group", "effect"):
        assert column in truth.sites.columns


def test_pixel_statistics_are_those_of_the_planes(world):
    table = pl.read_csv(world / "pixel_stats.csv")
    assert table.height == 2 * SITES * 6
    assert table.columns[-5:] == ["mean", "std", "median", "min", "max"]
    row = table.row(777, named=True)
    site = next(
        s for s in understand(world, Options()).sites if s.id == f"{row['id_code']}_{row['site']}"
    )
    plane = read_field(site, world).pixels[row["channel"] - 1] * 255
    assert row["mean"] == pytest.approx(plane.mean(), abs=1e-3)
    assert row["max"] == pytest.approx(plane.max(), abs=1e-3)


def test_the_bytes_are_the_same_for_any_number_of_workers(tmp_path, monkeypatch):
    """Of the first sites: two whole batches of a worker and the beginning of a third."""
    drawn, tasks = 40, rxrx1._tasks
    monkeypatch.setattr(rxrx1, "_tasks", lambda *a, **words: islice(tasks(*a, **words), drawn))
    make(tmp_path / "one", sites=SITES)
    make(tmp_path / "two", sites=SITES, workers=2)
    one, two = bytes_of(tmp_path / "one"), bytes_of(tmp_path / "two")
    assert one == two
    assert len(one) == drawn * (6 + 2) + 5 + 3


def test_sites_are_an_upper_bound_of_whole_experiments(tmp_path):
    for sites, experiments in ((SITES, 1), (3 * SITES - 1, 2), (10**9, 51)):
        assert len(rxrx1.design_of(request(tmp_path, sites=sites)).experiments) == experiments
    unasked = rxrx1.design_of(replace(request(tmp_path), sites=None))
    assert len(unasked.experiments) == 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sites": SITES - 1}, r"too few for one experiment.*264 sites"),
        ({"size": 16}, "--size"),
        ({"classes": 30}, "multiple of 4"),
        ({"variant": "odd"}, "no-aberrant"),
    ],
)
def test_settings_that_make_no_world_are_refused(tmp_path, changes, words):
    with pytest.raises(UsageError, match=words):
        make(tmp_path / "x", **changes)


def test_words_of_other_worlds_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--scv means nothing"):
        request(tmp_path, scv=0.1)
    with pytest.raises(UnknownName, match="easy, default, hard"):
        make(tmp_path / "x", severity="control")
