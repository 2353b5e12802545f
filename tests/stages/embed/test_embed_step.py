"""The step: vectors on disk whatever the batches and kills, out of fold, refused before work."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from tests.stages.train.learn_world import CHANNELS, make_job, make_run, silent

from cellwise.contracts.network import Asked
from cellwise.domain.nouns import EMBEDDINGS as VECTORS
from cellwise.domain.nouns import SITES, STATISTICS
from cellwise.domain.steps import Finished, Job
from cellwise.domain.tables import CELLS, EMBEDDINGS, FOLDS
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets import nets
from cellwise.parts.panel import load_panel
from cellwise.stages.embed import spec as embed_spec
from cellwise.stages.embed import step
from cellwise.stages.score import spec as score_spec
from cellwise.stages.train.step import work as train
from cellwise.store.run.crops import CropStore
from cellwise.store.run.embeddings import Embeddings, index_path, read_embeddings
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table, write_table

LENGTH = 4


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path, sites=6, unlabelled=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Six labelled fields and two without; a model of crops and one of whole fields."""
    run = make_run(tmp_path_factory.mktemp("trained"), sites=6, unlabelled=2)
    train(make_job(run, epochs=1), silent)
    train(
        make_job(run, name="fields", key="k2", epochs=1, task={"name": "image", "size": 64}), silent
    )
    return run


def job_of(run, key="k", fitted=None, **options):
    return Job(run.path, run.path.parent / "images", "embed", options, key, 0, fitted=fitted)


def brought(run, path, *, skip=(), extra=(), spoil=None, **beside):
    """A file with a vector for each cell but those to skip; what each should be, by cell."""
    cells = read_table(run.cells, CELLS)
    keys = [k for k in cells.select("site_id", "cell_id").rows() if k not in skip] + list(extra)
    vectors = np.random.default_rng(0).normal(size=(len(keys), LENGTH)).round(2)
    if spoil is not None:
        vectors[spoil] = np.nan
    order = np.random.default_rng(1).permutation(len(keys))
    frame = pl.DataFrame([keys[i] for i in order], schema=["site_id", "cell_id"], orient="row")
    frame = frame.with_columns(
        pl.Series("vector", vectors[order].tolist()),
        *(pl.Series(name, [values] * len(keys)) for name, values in beside.items()),
    )
    frame.write_parquet(path)
    return dict(zip(keys, vectors, strict=True))


def embed(run, batches=None, **options):
    sites = {site.id: site for site in read_sites(run.sites)}
    finished = {}
    for number, ids in enumerate(batches or [sorted(sites)]):
        job = job_of(run, key=f"k{number}", **options)
        for record in step.work([sites[i] for i in ids], job):
            finished[record.site_id] = Finished(f"k{number}", record.counts)
    counts = step.finish(job_of(run, **options), finished)
    step.settle(job_of(run, **options), set())
    return counts, {site: replace(record, merged=True) for site, record in finished.items()}


def everything(run):
    return {path.name: path.read_bytes() for path in run.embeddings("embed").iterdir()}


def test_a_file_becomes_the_vectors_of_its_cells(run, tmp_path):
    file = tmp_path / "e.parquet"
    wanted = brought(run, file, skip=[("s01", 2)], extra=[("elsewhere", 1), ("nowhere", 3)])
    counts, _ = embed(run, name="imported", file=str(file), dtype="float32")
    assert counts["vectors"] == 31
    assert counts["cells_without"] == 1
    assert counts["names_of_no_field"] == 2
    assert counts["such_names"] == ["elsewhere", "nowhere"]
    index, vectors = read_embeddings(run, "embed")
    assert index["cell_id"].dtype == pl.Int32
    for key, vector in zip(index.select("site_id", "cell_id").rows(), vectors, strict=True):
        np.testing.assert_allclose(vector, wanted[key], rtol=1e-6)
    facts = Embeddings(run.embeddings("embed")).facts
    assert facts["names_of_no_field"] == ["elsewhere", "nowhere"]
    assert facts["file"] == "e.parquet"


def test_batches_and_kills_do_not_show_in_the_files(run, tmp_path):
    file = tmp_path / "e.parquet"
    brought(run, file)
    options = {"name": "imported", "file": str(file)}
    embed(run, **options)
    first = everything(run)
    ids = [site.id for site in read_sites(run.sites)]
    # Killed after two batches: their rows lie under work, nothing is merged.
    step.work(read_sites(run.sites)[:3], job_of(run, key="killed", **options))
    embed(run, [ids[4:], ids[:1], ids[1:4]], **options)
    assert everything(run) == first
    assert not list(run.temporary.rglob("*.parquet"))


def test_what_is_there_is_known_and_what_is_lost_is_named(run, tmp_path):
    file = tmp_path / "e.parquet"
    brought(run, file, skip=[("s03", n) for n in (1, 2, 3, 4)])
    options = {"name": "imported", "file": str(file)}
    _, finished = embed(run, **options)
    job = job_of(run, **options)
    assert step.present(job, finished) == sorted(finished)
    next(run.embeddings("embed").glob("s02-*.npy")).unlink()
    assert step.present(job, finished) == sorted(set(finished) - {"s02"})
    index_path(run.embeddings("embed")).unlink()
    assert step.present(job, finished) == []


def test_a_file_that_was_taken_for_other_cells_is_refused(run, tmp_path):
    """The run was segmented again since, into cells of the same numbers."""
    file = tmp_path / "e.parquet"
    brought(run, file)
    options = {"name": "imported", "file": str(file)}
    _, finished = embed(run, **options)
    cells = read_table(run.cells, CELLS)
    step.present(job_of(run, **options), finished)
    other = pl.when(pl.col("site_id") == "s03").then(pl.col("area") + 1).otherwise(pl.col("area"))
    write_table(run.cells, CELLS, cells.with_columns(other.alias("area")))
    with pytest.raises(PreflightError, match=r"'embed': .* other cells: s03"):
        step.present(job_of(run, **options), {})
    # Another file, or other options, may be of the new cells.
    step.present(job_of(run, key="other", **options), {})
    write_table(run.cells, CELLS, cells.filter(pl.col("site_id") != "s03"))
    step.present(job_of(run, **options), {})


def test_a_new_field_is_one_batch_more(run, tmp_path):
    """Rows of the others come from the index that is there."""
    file = tmp_path / "e.parquet"
    brought(run, file)
    options = {"name": "imported", "file": str(file)}
    embed(run, **options)
    first = everything(run)
    ids = [site.id for site in read_sites(run.sites)]
    _, finished = embed(run, [ids[:-1]], **options)
    last = read_sites(run.sites)[-1]
    (record,) = step.work([last], job_of(run, key="new", **options))
    finished[last.id] = Finished("new", record.counts)
    step.finish(job_of(run, **options), finished)
    assert everything(run) == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": [("s01", 9)]}, "in s01 cell 9 is not there"),
        ({"spoil": 5}, "holds NaN"),
        ({"n_cells": 5}, "it has 4 cells, not 5"),
        ({"mask_key": "0123456789abcdef"}, "its masks are others"),
        ({"area": 379}, "has 380 pixels, not 379"),
    ],
)
def test_vectors_of_other_cells_are_refused_before_the_first_site(run, tmp_path, options, message):
    file = tmp_path / "e.parquet"
    brought(run, file, **options)
    with pytest.raises(PreflightError, match=message):
        step.work(read_sites(run.sites)[:1], job_of(run, name="imported", file=str(file)))
    assert not run.embeddings("embed").exists()


def test_broken_files_are_refused_before_any_work(run, tmp_path):
    with pytest.raises(BadOption, match="which file"):
        step.check({"name": "imported", "file": ""}, job_of(run))
    file = tmp_path / "e.parquet"
    with pytest.raises(PreflightError, match="There is no file"):
        step.check({"name": "imported", "file": str(file)}, job_of(run))
    pl.DataFrame(
        {"site_id": ["s00", "s01"], "cell_id": [1, 1], "v": [[1.0], [1.0, 2.0]]}
    ).write_parquet(file)
    with pytest.raises(PreflightError, match="two lengths"):
        step.check({"name": "imported", "file": str(file)}, job_of(run))
    pl.DataFrame({"site_id": ["x"], "cell_id": [1], "v": [[1.0]]}).write_parquet(file)
    options = {"name": "imported", "file": str(file)}
    step.check(options, job_of(run))
    with pytest.raises(PreflightError, match="No name in"):
        step.check_sites(job_of(run, **options))


def test_a_finished_run_needs_its_file_no_more(run, tmp_path):
    file = tmp_path / "e.parquet"
    brought(run, file)
    options = {"name": "imported", "file": str(file)}
    embed(run, **options)
    file.unlink()
    step.check(options, job_of(run, **options))
    step.check_sites(job_of(run, **options))


def test_numbers_beyond_float16_are_refused_with_the_remedy(run, tmp_path):
    file = tmp_path / "e.parquet"
    pl.DataFrame({"site_id": ["s00"], "cell_id": [1], "v": [[1e6, 1.0]]}).write_parquet(file)
    with pytest.raises(BadOption, match=r"beyond float16.*embed.dtype=float32"):
        embed(run, name="imported", file=str(file))
    embed(run, name="imported", file=str(file), dtype="float32")
    assert read_embeddings(run, "embed")[1].tolist() == [[1e6, 1.0]]


def test_vectors_of_whole_fields_have_no_cell(run, tmp_path):
    file = tmp_path / "e.npz"
    np.savez(file, site=np.array(["s00", "S01"]), vectors=np.ones((2, 3)))
    counts, _ = embed(run, name="imported", file=str(file))
    index, vectors = read_embeddings(run, "embed")
    assert index["unit"].to_list() == ["site", "site"]
    assert index["cell_id"].to_list() == [None, None]
    assert (vectors.shape, counts["vectors"], counts["cells_without"]) == ((2, 3), 2, 0)


def test_a_network_gives_the_features_of_the_model_that_left_the_field_out(trained):
    embed(trained, name="net", model="model", threads=1, dtype="float32")
    index, vectors = read_embeddings(trained, "embed")
    assert index.height == 32, "labelled or not"
    folds = dict(read_table(trained.folds, FOLDS).select("site_id", "fold").iter_rows())
    cells = read_table(trained.cells, CELLS)
    crops = torch.from_numpy(CropStore(trained.crops, cells).read(np.arange(32)))
    models = {m.card.fold: m.predictor for m in load_panel(trained, "model", "cpu").models}
    with torch.no_grad():
        seen = {f: m(crops, Asked.EMBEDDING).embedding.numpy() for f, m in models.items()}
    for place, row in enumerate(index.iter_rows(named=True)):
        fold = folds[row["site_id"]]
        wanted = seen[fold] if fold is not None else (seen[0] + seen[1]) / 2
        assert row["fold"] == fold
        assert row["model"] == ("model/mean" if fold is None else f"model/fold{fold}")
        np.testing.assert_allclose(vectors[place], wanted[place], rtol=1e-4, atol=1e-5)


def test_a_network_of_fields_gives_cells_the_mean_under_their_masks(trained):
    embed(trained, name="net", model="fields", threads=1, dtype="float32")
    index, vectors = read_embeddings(trained, "embed")
    assert index.height == 32
    of_one = vectors[:4]
    assert np.abs(of_one - of_one[0]).max() > 1e-4, "cells of a field differ"
    embed(trained, name="net", model="fields", unit="site", threads=1, dtype="float32")
    index, vectors = read_embeddings(trained, "embed")
    assert index["unit"].unique().to_list() == ["site"]
    assert vectors.shape == (8, of_one.shape[1])


def test_published_weights_in_a_file_look_at_crops(run, tmp_path):
    import timm

    torch.manual_seed(0)
    trunk = timm.create_model("test_resnet", in_chans=3, num_classes=0)
    torch.save(trunk.state_dict(), tmp_path / "w.pth")
    net = {"name": "backbone", "model": "test_resnet", "pretrained": str(tmp_path / "w.pth")}
    step.check({"name": "net", "net": net}, job_of(run))
    embed(run, name="net", net=net, threads=1, dtype="float32")
    index, vectors = read_embeddings(run, "embed")
    assert index["model"].unique().to_list() == ["test_resnet/all"]
    assert index["fold"].null_count() == 32
    made = nets.build({**net, "head": "class_map"})(len(CHANNELS), 1).eval()
    crops = CropStore(run.crops, read_table(run.cells, CELLS)).read(np.arange(3))
    inside = (crops != 0).any(1, keepdims=True)
    mean = crops.sum((2, 3), keepdims=True) / inside.sum((2, 3), keepdims=True)
    with torch.no_grad():
        relative = torch.from_numpy((crops / mean).clip(max=8) - 1).float()
        seen = made.extract_features(relative).mean((2, 3)).numpy()
    np.testing.assert_allclose(vectors[:3], seen, rtol=1e-3, atol=1e-4)
    assert step.key_parts({"name": "net", "net": net}, "cpu") != []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either a train step"),
        ({"model": "m", "net": "tiny"}, "either a train step"),
        ({"net": "tiny"}, "names no weights"),
        ({"model": "m", "size": 64}, "size goes with net"),
        ({"model": "m", "batch": 0}, "at least 1"),
        ({"net": {"name": "backbone", "pretrained": "no.pth"}, "unit": "site"}, "needs the size"),
        ({"net": {"name": "backbone", "pretrained": "no.pth"}}, "no file of pretrained weights"),
    ],
)
def test_networks_that_cannot_look_are_refused(run, options, message):
    with pytest.raises((BadOption, PreflightError), match=message):
        step.check({"name": "net", **options}, job_of(run))


def test_a_model_of_cells_has_no_vector_of_fields(trained):
    with pytest.raises(BadOption, match="no vector of fields"):
        embed(trained, name="net", model="model", unit="site")
    with pytest.raises(PreflightError, match="no model 'other'"):
        embed(trained, name="net", model="other")


def test_a_field_without_cells_has_no_vectors(trained):
    cells = read_table(trained.cells, CELLS)
    write_table(trained.cells, CELLS, cells.filter(pl.col("site_id") != "s04"))
    try:
        _, finished = embed(trained, name="net", model="model", threads=1)
        index, _ = read_embeddings(trained, "embed")
        assert "s04" not in index["site_id"].to_list()
        assert step.present(job_of(trained), finished) == sorted(finished)
    finally:
        write_table(trained.cells, CELLS, cells)


def test_new_images_take_the_mean_of_a_finished_run(trained, tmp_path):
    fresh = make_run(tmp_path / "new", sites=0, unlabelled=2)
    sites = read_sites(fresh.sites)
    job = job_of(fresh, fitted=trained.path, name="net", model="model", threads=1)
    records = step.work(sites, job)
    step.finish(job, {r.site_id: Finished("k", r.counts) for r in records})
    index = read_table(index_path(RunFolder(fresh.path).embeddings("embed")), EMBEDDINGS)
    assert index["model"].unique().to_list() == ["model/mean"]


def test_who_looks_at_whole_sites_is_keyed_by_all_that_scoring_them_is():
    """A changed cell type or plate of a site must redo both: it chooses networks and brightness."""

    def read(spec, options):
        own = spec.options.of(options)
        return {
            one.noun
            for one in spec.reads
            if not one.when or getattr(own, one.when, None) or options.get(one.when)
        }

    seen = read(embed_spec.SPEC, {"name": "tiles", "model": "net", "adapted": "own"})
    scored = read(score_spec.SPEC, {"by": "tiles", "model": "net", "adapted": "own"})
    assert {SITES, STATISTICS} <= scored
    assert scored - seen <= {VECTORS}
    assert SITES not in read(embed_spec.SPEC, {"name": "net", "model": "net"})
