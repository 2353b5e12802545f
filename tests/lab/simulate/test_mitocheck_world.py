"""World `mitocheck`: as it lies on disk, as a run reads it, and what may not leak."""

import hashlib
from pathlib import Path

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

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A few bags of the sealed plates."""
    bags, out = mitocheck._bags, tmp_path_factory.mktemp("parts") / "sealed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mitocheck, "_bags", lambda *words: bags(*words)[::12])
        return _make(out, seed=0, part="sealed").folder


def test_no_plate_is_in_both_parts_and_both_hold_cells_of_every_phenotype():
    known = read_known_cells()
    both = [mitocheck._of_part(known, part) for part in mitocheck.PARTS]
    plates = [set(cells.columns["plate"]) for cells in both]
    assert not plates[0] & plates[1]
    assert plates[0] | plates[1] == set(known.columns["plate"])
    assert min(map(len, plates)) >= 20
    phenotypes = [set(cells.columns["phenotype"]) for cells in both]
    assert phenotypes[0] == phenotypes[1] == set(known.columns["phenotype"])
    for cells in both:
        number = int(cells.columns["number"][7])
        assert (cells.pixels[7] == known.pixels[number]).all()


def test_a_part_holds_its_plates_only_and_says_so(sealed):
    truth, known = read_truth(sealed), read_known_cells()
    assert truth.world["part"] == "sealed"
    for source, plate in truth.cells.select("source", "group").iter_rows():
        assert known.columns["plate"][int(source)] == plate
        assert mitocheck.part_of(plate) == "sealed"


def test_the_split_of_the_plates_is_frozen():
    plates = sorted(set(read_known_cells().columns["plate"]))
    sealed = "|".join(plate for plate in plates if mitocheck.part_of(plate) == "sealed")
    assert (
        hashlib.sha256(sealed.encode()).hexdigest()
        == "ae76a4013bd084feaf822cc71b0802fca041e66674127b21d14755ae8bd851f5"
    )


def test_a_world_without_a_part_is_the_one_it_was():
    """Its digest holds no word of parts, so that folders made before are found again."""
    whole = SimulateRequest(Path("w"), "mitocheck", seed=0).resolved({"variant": "bags"})
    assert whole.digest() == "c18cdee56ec4e7bf093c6f4245b47f85add06b44dcd3a55a66eec37efe7e80c1"


def test_an_unknown_part_is_refused(tmp_path):
    with pytest.raises(UsageError, match="development or sealed, not 'seal'"):
        _make(tmp_path / "none", part="seal")
    with pytest.raises(UsageError, match="--part means nothing to --world hpa"):
        simulate_package.simulate_world(
            SimulateRequest(tmp_path / "hpa", "hpa", part="sealed"), lambda *words: None
        )
