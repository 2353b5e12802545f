"""Measured features as a step: on disk with names, refused or set aside where they cannot be."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.train.learn_world import CHANNELS, draw, label_of, make_run

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.domain.steps import Finished, Job
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.features.measure import measure_cells
from cellwise.parts.features.panel import ALL_GROUPS, panel_of
from cellwise.stages.embed import measured, step
from cellwise.stages.embed.spec import SPEC
from cellwise.store.run.embeddings import Embeddings, read_embeddings
from cellwise.store.run.masks import read_masks
from cellwise.store.run.sites import read_sites


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("measured"), sites=2, unlabelled=1)


def job_of(run, fitted=None, **options):
    images = run.path.parent / "images"
    chosen = {"name": "measured", **options}
    return Job(run.path, images, "features", chosen, "k", 0, fitted=fitted)


def embed(run, **options):
    job = job_of(run, **options)
    step.check(dict(job.options), job)
    step.check_sites(job)
    records = step.work(read_sites(run.sites), job)
    counts = step.finish(job, {r.site_id: Finished("k", r.counts) for r in records})
    step.settle(job, set())
    return records, counts


def test_features_lie_on_disk_by_name_as_they_are_measured(run):
    records, counts = embed(run)
    assert [record.counts for record in records] == [{"units": 4, "without": 0}] * 3
    kept = Embeddings(run.embeddings("features"))
    panel = panel_of(CHANNELS)
    assert list(kept.columns) == panel.names
    assert (kept.missing, kept.dtype, counts["numbers"]) == (True, "float32", len(panel.names))
    index, vectors = read_embeddings(run, "features")
    pixels = np.round(draw(label_of(1), 1) * 255) / 255
    masks = read_masks(run.masks, "s01")
    _, wanted = measure_cells(Field("s01", pixels.astype(np.float32), CHANNELS), masks, panel)
    own = (index["site_id"] == "s01").to_numpy()
    np.testing.assert_allclose(vectors[own][:, :14], wanted[:, :14], rtol=1e-5)
    away = np.nanmedian(np.abs(vectors[own] - wanted))
    assert away < 1e-3


def test_other_numbers_than_a_finished_run_learned_from_are_refused(run, tmp_path):
    embed(run)
    other = make_run(tmp_path, sites=2, channels=CHANNELS[:1])
    lacks = CHANNELS[1].role or CHANNELS[1].name
    # Before a field is segmented, and wherever it is asked again.
    for ask in (step.check_sites, lambda job: step.work(read_sites(other.sites), job)):
        with pytest.raises(PreflightError, match=f"these images lack {lacks}"):
            ask(job_of(other, fitted=run.path))
    embed(other)
    with pytest.raises(PreflightError, match=f"these images have beside them {lacks}"):
        step.check_sites(job_of(make_run(tmp_path / "two", sites=2), fitted=other.path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"without": ["er"]}, "names 'er', which is no channel"),
        ({"without": ["nucleus", "protein"]}, "no channel is left"),
        ({"reduce": 17}, "reduce is 0 to 16"),
        ({"pixel_size": 0.0}, "above 0 micrometres"),
    ],
)
def test_options_that_cannot_work_are_refused(run, options, message):
    with pytest.raises(BadOption, match=message):
        embed(run, **options)


def test_fields_of_fine_pixels_are_averaged_down_where_the_size_is_known(run):
    embed(run, reduce=2)
    _, small = read_embeddings(run, "features")
    job = job_of(run, pixel_size=0.7)
    sites = [replace(site, pixel_size=0.325) for site in read_sites(run.sites)]
    records = step.work(sites, job)
    step.finish(job, {r.site_id: Finished("k", r.counts) for r in records})
    np.testing.assert_array_equal(read_embeddings(run, "features")[1], small)
    assert 0.2 < small[0, 0] / embed_area(run) < 0.3


def embed_area(run):
    embed(run)
    return read_embeddings(run, "features")[1][0, 0]


def test_the_key_says_how_features_are_made():
    assert step.key_parts({"name": "measured"}, "cpu") == ["features 1"]
    assert step.key_parts({"name": "imported"}, "cpu") == []
    for without, parts in (("er", 1), ("protein", 2), ("GFP", 2)):
        made = {"name": "measured", "without": [without]}
        assert len(step.key_parts(made, "cpu")) == parts, without
    assert SPEC.version == 1


def test_a_field_smaller_than_a_block_is_measured_and_not_lost():
    made: Any = measured.build(reduce=16)
    cells = np.full((10, 12), 3, np.uint32)
    field = Field("tiny", np.full((len(CHANNELS), 10, 12), 0.5, np.float32), CHANNELS)
    numbers, vectors = made._measure(field, Masks(cells, np.zeros_like(cells)), panel_of(CHANNELS))
    assert numbers.tolist() == [3]
    assert len(vectors) == 1


NUCLEUS, PROTEIN = Channel("dna", "nucleus"), Channel("gfp", "protein")


@pytest.mark.parametrize(
    ("others", "around"),
    [((), 3), ((Channel("mito", "mitochondria"),), 3), ((Channel("er", "er"),), 0)],
)
def test_without_the_protein_its_outline_is_not_measured_either(others, around):
    """A cell found by its protein would tell in the control what the protein shows."""
    panel = panel_of((NUCLEUS, PROTEIN, *others), without=["protein"])
    assert panel.around == around
    assert not [name for name in panel.names if name.endswith(("_protein", "_gfp"))]


@settings(max_examples=5, deadline=None)
@given(gain=st.floats(0.2, 1.0), seed=st.integers(0, 99))
def test_relative_numbers_do_not_change_with_the_gain(gain, seed):
    random = np.random.default_rng(seed)
    pixels = random.uniform(0.1, 0.9, (2, 40, 40)).astype(np.float32)
    labels = np.zeros((40, 40), np.uint16)
    labels[5:30, 5:30] = 1
    nuclei = np.zeros_like(labels)
    nuclei[10:20, 10:20] = 1
    pixels[:, labels == 0] *= np.float32(0.1)
    panel = panel_of((NUCLEUS, PROTEIN), levels=False)
    every = panel_of((NUCLEUS, PROTEIN)).names
    assert {n for n in every if "_Intensity_Log" in n} == set(every) - set(panel.names)
    found = [
        measure_cells(
            Field("s", p.astype(np.float32), (NUCLEUS, PROTEIN)), Masks(labels, nuclei), panel
        )[1]
        for p in (pixels, pixels * gain)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=0.02, atol=0.02)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.sets(st.sampled_from(ALL_GROUPS)), st.booleans(), st.booleans())
def test_groups_left_out_change_no_number_of_the_others(groups, levels, protein):
    channels = (NUCLEUS, PROTEIN) if protein else (NUCLEUS, Channel("er", "er"))
    pixels = np.random.default_rng(0).uniform(0.1, 0.9, (2, 40, 40)).astype(np.float32)
    labels = np.zeros((40, 40), np.uint16)
    labels[5:30, 5:30] = 1
    labels[35:38, 35] = 2
    nuclei = np.zeros_like(labels)
    nuclei[10:20, 10:20] = 1
    field, masks = Field("s", pixels, channels), Masks(labels, nuclei)
    every = panel_of(channels, levels=levels)
    some = panel_of(channels, levels=levels, groups=sorted(groups))
    kept = [every.names.index(name) for name in some.names]
    assert (kept == list(range(len(every.names)))) == (groups == set(ALL_GROUPS))
    wanted = measure_cells(field, masks, every)[1][:, kept]
    np.testing.assert_array_equal(measure_cells(field, masks, some)[1], wanted)


def test_a_group_that_is_none_is_refused_by_name():
    with pytest.raises(BadOption, match=r"not 'textures'\..*texture'\?"):
        measured.build(only=["textures"])
