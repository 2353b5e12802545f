"""World `mitocheck`: as it lies on disk, as a run reads it, and what may not leak."""

import hashlib

import polars as pl
import pytest

import cellwise.lab.simulate as simulate_package
from cellwise.errors import UsageError
from cellwise.lab.simulate import mitocheck
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.stages.read.spec import Options
from cellwise.stages.read.step import understand
from cellwise.store.run.masks import read_labels
from cellwise.store.worlds.mitocheck_folder import read_known_cells
from cellwise.store.worlds.truth import read_truth


def _make(out, **settings):
    request = SimulateRequest(out, "mitocheck", **settings)
    return simulate_package.simulate_world(request, lambda done, total, note: None)


def _bytes(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Bags and wells of seed 0."""
    folder = tmp_path_factory.mktemp("worlds")
    _make(folder / "first", seed=0)
    _make(folder / "wells", seed=0, variant="wells")
    return folder


def _source(folder):
    return read_truth(folder).cells.select("site_id", pl.col("source").cast(pl.Int64))


@pytest.mark.parametrize("name", ["first", "wells"])
def test_no_cell_occurs_twice(worlds, name):
    source = _source(worlds / name)["source"]
    assert source.n_unique() == len(source)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_workers(tmp_path, monkeypatch):
    bags = mitocheck._bags
    monkeypatch.setattr(mitocheck, "_bags", lambda *words: bags(*words)[:20])
    _make(tmp_path / "first", seed=0)
    _make(tmp_path / "again", seed=0, workers=2)
    assert len(_bytes(tmp_path / "first")) > 60
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "again")


def test_another_seed_makes_other_bags_of_cells_that_occur_once(worlds):
    first = {
        tuple(sorted(rows))
        for _, rows in _source(worlds / "first").group_by("site_id").agg("source").iter_rows()
    }
    dealt = [bag.tolist() for bag in mitocheck._bags(read_known_cells(), "bags", 1)]
    assert abs(len(dealt) - len(first)) < 5
    assert len({cell for bag in dealt for cell in bag}) == sum(map(len, dealt))
    assert not first & {tuple(sorted(bag)) for bag in dealt}


def test_labels_are_the_union_of_the_cells_and_fields_hold_whole_plates_of_one_fold(worlds):
    for name in ("first", "wells"):
        truth = read_truth(worlds / name)
        union = truth.cells.group_by("site_id").agg(
            pl.col("classes").list.first().unique().sort(), pl.col("fold").n_unique()
        )
        labels = pl.read_csv(worlds / name / "labels.csv", infer_schema=False)
        assert (union["fold"] == 1).all()
        expected = dict(union.select("site_id", pl.col("classes").list.join("|")).iter_rows())
        assert dict(labels.select("site_id", "label").iter_rows()) == expected
        plates = truth.cells.select("group", "fold").unique()
        assert plates["group"].n_unique() == len(plates)


def test_bags_hold_nine_cells_of_three_to_five_classes(worlds):
    cells = read_truth(worlds / "first").cells
    per_field = cells.group_by("site_id").agg(pl.len(), pl.col("classes").n_unique())
    assert (per_field["len"] == 9).all()
    assert per_field["classes"].min() >= 3
    assert per_field["classes"].max() <= 5


@pytest.mark.parametrize("name", ["first", "wells"])
def test_a_run_reads_it_with_its_fifteen_classes_verbatim(worlds, name):
    options = Options(labels=str(worlds / name / "labels.csv"))
    for folder in (worlds / name / "images", worlds / name):
        reading = understand(folder, options)
        world = read_truth(worlds / name).world
        assert reading.layout == "single_channel"
        assert list(reading.classes.names) == world["classes"]
        assert len(world["classes"]) == 15
        assert reading.classes.negative is None
        assert len(reading.channels) == 1
        assert len(reading.usable) == world["sites"]
        assert {site.metadata["Fold"] for site in reading.sites} == {"0", "1", "2", "3"}
        assert {site.part for site in reading.sites} == {"train"}
        assert not reading.problems


def test_every_cell_of_the_truth_has_a_mask_and_the_other_way_round(worlds):
    truth = read_truth(worlds / "wells")
    for (site,), rows in truth.cells.group_by("site_id"):
        labels = read_labels(truth.root / "masks" / f"{site}_cells.tif")
        assert sorted(set(labels.ravel().tolist()) - {0}) == sorted(rows["cell_id"])


def test_what_means_nothing_here_is_refused(tmp_path):
    for settings in ({"severity": "hard"}, {"sites": 10}, {"size": 256}, {"test_share": 0.5}):
        with pytest.raises(UsageError, match="means nothing to --world mitocheck"):
            _make(tmp_path / "world", **settings)
    with pytest.raises(UsageError, match="Did you mean 'wells'"):
        _make(tmp_path / "world", variant="well")
    assert not (tmp_path / "world").exists()
