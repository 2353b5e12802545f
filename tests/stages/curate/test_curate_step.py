"""Which fields teach: one of each that is there several times, and negatives that are stained."""

import cv2
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.curate.conftest import World, draw
from tests.stages.site_steps import do, finished

from cellwise.domain.intensities import Scale
from cellwise.domain.steps import Job
from cellwise.domain.tables import EMBEDDINGS, FOLDS
from cellwise.errors import BadOption
from cellwise.stages.curate import step
from cellwise.stages.curate._light import flags_of
from cellwise.stages.curate.spec import Options
from cellwise.stages.split.step import work as split
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.tables import read_table, write_table

CLEAR = "negative, no cell above"


def test_one_of_each_teaches_and_the_reason_names_the_other(world):
    planes, labels = draw(1)
    world.add("a", planes, labels)
    world.add("b", (planes * 0.8).astype(np.uint8) + 4, labels)
    world.add("c", planes, labels, given=("Cytosol",))
    world.add("d", *draw(2))
    world.add("e", planes, labels, given=None)
    counts, rows = world.judged()
    assert [rows[name]["teaches"] for name in "abcde"] == [True, False, False, True, True]
    assert rows["b"]["reason"] == "shows the same as a"
    assert rows["c"]["reason"] == "shows the same as a, under another label"
    assert [rows[name]["same_as"] for name in "abcde"] == ["a", "a", "a", None, "a"]
    assert (counts["same_images"], counts["duplicates_set_aside"]) == (4, 2)
    assert counts["does_not_teach"][0] == "b: shows the same as a"
    assert {row["teaches"] for row in world.judged(duplicates=False)[1].values()} == {True}


def test_a_labelled_field_teaches_where_its_copy_has_no_label(world):
    planes, labels = draw(1)
    world.add("a", planes, labels, given=None)
    world.add("b", planes, labels, part="test")
    world.add("c", planes, labels)
    assert world.judged()[1]["c"]["teaches"]


def test_times_of_a_field_and_other_sites_of_its_well_are_no_copies(world):
    for number in range(3):
        world.add(f"t{number}", *draw(1), Well="A1", TimeSeries="A1")
        world.add(f"w{number}", *draw(1, moved=3.0 * number + 3), Well="A1")
    counts, _ = world.judged()
    assert counts["same_images"] == 0


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    bright=st.integers(20, 255),
    limit=st.sampled_from([100.0, 150.0]),
    side=st.sampled_from([1, 2]),
)
def test_a_negative_teaches_where_a_cell_is_bright_enough(tmp_path_factory, bright, limit, side):
    world = World(tmp_path_factory.mktemp("w"))
    for name, level in (("n", bright), ("dark", 10), ("lit", 255)):
        planes, labels = draw(7, brightest=level)
        planes[1] = np.where(labels == 0, 0, planes[1])
        double = [np.kron(plane, np.ones((side, side), np.uint8)) for plane in planes]
        world.add(
            name, double, np.kron(labels, np.ones((side, side), np.uint16)), given=("Negative",)
        )
    world.add("golgi", *draw(8, brightest=10))
    counts, rows = world.judged(stained=limit, duplicates=False)
    assert rows["n"]["brightest"] == pytest.approx(bright, abs=2)
    assert rows["n"]["teaches"] == (rows["n"]["brightest"] >= limit)
    assert [rows[name]["teaches"] for name in ("dark", "lit", "golgi")] == [False, True, True]
    assert rows["dark"]["reason"].startswith(CLEAR)
    assert counts["negatives_set_aside"] == 1 + (not rows["n"]["teaches"])


def test_the_rule_is_for_layouts_of_the_atlas_unless_asked_for(tmp_path):
    world = World(tmp_path, layout="well_channel")
    world.add("n", *draw(1, brightest=30), given=("Negative",))
    world.add("m", *draw(2, brightest=250), given=("Negative",))
    assert world.judged()[0]["negatives_set_aside"] == 0
    assert world.judged(negatives=True)[0]["negatives_set_aside"] == 1
    world.layout = "hpa_public"
    assert world.judged()[0]["negatives_set_aside"] == 1
    assert world.judged(negatives=False)[0]["negatives_set_aside"] == 0
    world.negative = None
    world.sites = [site for site in world.sites if site.id == "none"]
    world.add("g", *draw(3, brightest=30))
    assert world.judged()[0]["negatives_set_aside"] == 0


def test_where_all_negatives_are_dark_the_limit_is_of_another_light(world):
    for number in range(4):
        world.add(f"n{number}", *draw(number, brightest=60), given=("Negative",))
    counts, rows = world.judged()
    assert (counts["negatives_set_aside"], counts["negatives_all_dark"]) == (0, 4)
    assert all(row["teaches"] for row in rows.values())


@pytest.mark.parametrize(("top", "bits"), [(1023, 10), (4095, 12), (65535, 16)])
def test_16_bit_files_are_measured_by_the_range_of_their_camera(tmp_path, top, bits):
    world = World(tmp_path, scale=Scale(0, 65535, "counts"))
    for name, level in (("n", 120), ("full", 255)):
        planes, labels = draw(4, brightest=level)
        world.add(name, (planes.astype(np.uint32) * top // 255).astype(np.uint16), labels)
    _, rows = world.judged()
    assert rows["n"]["brightest"] == pytest.approx(120, abs=2), bits
    assert rows["full"]["brightest"] == pytest.approx(255, abs=2)


def test_dim_and_blurred_fields_are_flagged_and_teach(world):
    for number in range(9):
        planes, labels = draw(number)
        if number == 3:
            planes = (planes * 0.1).astype(np.uint8)
        if number == 5:
            planes = np.stack([cv2.GaussianBlur(plane, (0, 0), 5.0) for plane in planes])
        world.add(f"f{number}", planes, labels)
    counts, rows = world.judged()
    assert {name: row["flags"] for name, row in rows.items() if row["flags"]} == {
        "f3": ["dim"],
        "f5": ["out_of_focus"],
    }
    assert (counts["dim"], counts["out_of_focus"]) == (1, 1)
    assert all(row["teaches"] for row in rows.values())


def test_of_few_fields_none_stands_out():
    pixels = pl.DataFrame(
        {"site_id": ["a", "b"], "channel": ["x", "x"], "mean": [0.5, 0.01], "minimum": [0.0, 0.0],
         "focus": [1.0, 0.001]}
    )  # fmt: skip
    files = pl.DataFrame({"site_id": ["a", "b"], "channel": ["x", "x"], "role": ["", ""]})
    assert flags_of(pixels, files, ["a", "b"]) == [[], []]


def _vectors(world, of_site):
    """Embeddings of cells: `of_site` gives `[cell, number]` by site."""
    folder = world.run.embeddings("seen")
    frames = []
    for name, vectors in of_site.items():
        shard = write_vectors(folder, name, vectors.astype(np.float32), dtype="float32")
        count = len(vectors)
        frames.append(
            pl.DataFrame(
                {
                    "unit": ["cell"] * count, "site_id": [name] * count,
                    "cell_id": list(range(1, count + 1)), "shard": [shard] * count,
                    "row": list(range(count)), "length": [vectors.shape[1]] * count,
                    "fold": [None] * count, "model": ["m"] * count,
                },
                schema_overrides={"cell_id": pl.Int32, "row": pl.Int32, "length": pl.Int32,
                                  "fold": pl.Int32},
            )
        )  # fmt: skip
    index = pl.concat(frames).select(list(EMBEDDINGS.columns))
    write_table(index_path(folder), EMBEDDINGS, index)
    seal(folder, index, "float32", {"unit": "cell"})


def test_cells_that_have_their_likeness_in_another_field_tell_a_copy_that_was_turned(world):
    planes, labels = draw(1)
    world.add("a", planes, labels)
    world.add("b", [np.rot90(plane).copy() for plane in planes], np.rot90(labels).copy())
    for number in range(2, 8):
        world.add(f"o{number}", *draw(number))
    random = np.random.default_rng(0)
    vectors = {site.id: random.normal(0, 1, (16, 12)) for site in world.sites}
    vectors["b"] = vectors["a"][::-1] + random.normal(0, 0.02, (16, 12))
    world.write()
    _vectors(world, vectors)
    assert world.judged()[0]["same_images"] == 0
    counts, rows = world.judged(embeddings="seen")
    assert counts["same_images"] == 2
    assert (rows["a"]["teaches"], rows["b"]["reason"]) == (True, "shows the same as a")


def test_the_split_keeps_together_what_shows_the_same(world):
    for number in range(6):
        planes, labels = draw(number)
        world.add(f"a{number}", planes, labels, ("Golgi",) if number % 2 else ("Cytosol",))
        world.add(f"b{number}", (planes * 0.9).astype(np.uint8), labels, ("Golgi",))
    world.judged()
    job = Job(world.run.path, world.run.path, "split", {"folds": 2, "by": "site"}, "k", seed=0)
    split(job, lambda *_: None)
    fold = dict(read_table(world.run.folds, FOLDS).select("site_id", "fold").iter_rows())
    assert set(fold.values()) == {0, 1}, "fields not used for training keep their fold"
    assert all(fold[f"a{number}"] == fold[f"b{number}"] for number in range(6))


def test_sites_that_were_merged_are_there_and_those_that_are_gone_are_not(world):
    world.add("a", *draw(1))
    world.add("b", *draw(2))
    world.write()
    found = finished(do(step, world.job()), "key")
    assert sorted(step.present(world.job(), found)) == ["a", "b"]
    step.finish(world.job(), found)
    step.settle(world.job(), {"key"})
    assert step.present(world.job(), found) == [], "a shard that is gone without a merge on record"


def test_limits_are_refused_where_they_mean_nothing():
    with pytest.raises(BadOption, match="stained"):
        Options.of({"stained": 300})
    with pytest.raises(BadOption, match="brightest"):
        Options.of({"brightest": 0})
