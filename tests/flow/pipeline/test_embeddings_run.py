"""A run with embeddings that were brought: refused before work, resumed, one field more."""

import json

import numpy as np
import polars as pl
import pytest
from tests.worlds import field, labels, plate, wells

import cellwise
from cellwise.domain.tables import CELLS
from cellwise.errors import BadOption, PreflightError
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.store.run.embeddings import read_embeddings
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

STEPS = """
format: 1
steps:
  - read:
  - segment: {name: grid, tile: 32}
  - cells: {size: 16}
  - split: {by: auto, folds: 2}
  - embed: {name: imported}
  - label: {as: inherited, by: inherit}
  - train: {as: head, task: vectors, embeddings: embed, labels: inherited, net: linear, epochs: 2,
            augment: [], threads: 1}
  - score: {as: head, model: head, by: vector_net, embeddings: embed, threads: 1}
  - decide: {from: [head]}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Six fields, their embeddings, and one run of them."""
    home = tmp_path_factory.mktemp("imported")
    plate(home / "images")
    labels(home / "labels.csv")
    (home / "recipe.yaml").write_text(STEPS)
    write(home / "e.parquet", wells(7))
    go(home)
    return home


def write(path, fields, cells=9, length=3):
    keys = [(name, cell) for name in fields for cell in range(1, cells + 1)]
    vectors = np.random.default_rng(0).normal(size=(len(keys), length)).round(1)
    frame = pl.DataFrame(keys, schema=["site_id", "cell_id"], orient="row")
    frame.with_columns(pl.Series("v", vectors.tolist())).write_parquet(path)


def go(home, out="run", file="e.parquet", *settings):
    return cellwise.run(
        home / "images",
        labels=home / "labels.csv",
        out=home / out,
        recipe=str(home / "recipe.yaml"),
        settings=[f"embed.file={home / file}", *settings],
        workers=1,
    )


def steps_of(home, out="run"):
    record = json.loads((home / out / "run.json").read_text())
    return {step["kind"]: step for step in record["steps"]}


def test_names_of_no_field_stand_in_the_record(world):
    counts = steps_of(world)["embed"]["counts"]
    assert (counts["vectors"], counts["names_of_no_field"]) == (54, 1)
    assert counts["such_names"] == [wells(7)[-1]]


def test_the_same_command_does_nothing_and_one_field_more_embeds_one(world):
    go(world)
    assert {step["state"] for step in steps_of(world).values()} == {"reused"}
    first = read_embeddings(RunFolder(world / "run"), "embed")[1]
    field(world / "images", wells(7)[-1], 6)
    go(world)
    (done,) = (world / "run" / "done").glob("embed*.jsonl")
    log = done.read_text().splitlines()
    sites = [json.loads(line)["site"] for line in log]
    assert sorted(site for site in sites if site) == sorted([*wells(6), wells(7)[-1]])
    index, vectors = read_embeddings(RunFolder(world / "run"), "embed")
    assert index["site_id"].n_unique() == 7
    np.testing.assert_array_equal(vectors[:54], first)
    assert steps_of(world)["train"]["state"] == "reused", "the new field has no label"


@pytest.mark.parametrize("lost", ["embeddings/embed/embeddings.json", "wells.parquet"])
def test_a_file_that_was_lost_is_made_again(world, lost):
    path = world / "run" / lost
    before = path.read_bytes()
    path.unlink()
    go(world)
    assert path.read_bytes() == before


def test_other_cells_are_refused_by_name(world):
    write(world / "other.parquet", wells(6), cells=10)
    with pytest.raises(PreflightError, match="cell 10 is not there"):
        go(world, "other", "other.parquet")
    assert not (world / "other" / "embeddings").exists()


def test_a_file_that_is_not_there_stops_the_run_before_any_work(world):
    with pytest.raises(PreflightError, match="no file of embeddings"):
        go(world, "none", "none.parquet")
    assert not (world / "none" / "masks").exists()


def test_a_run_segmented_anew_is_refused(world):
    with pytest.raises(PreflightError, match="other cells"):
        go(world, "run", "e.parquet", "segment.tile=48")
    assert read_table(RunFolder(world / "run").cells, CELLS)["cell_id"].max() < 9


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("head.net=tiny", "go with the task vectors"),
        ("head.embeddings=other", "'other' is no embed step before it"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_recipe(world, setting, message):
    with pytest.raises(BadOption, match=message):
        go(world, "none", "e.parquet", setting)


def test_older_recipes_keep_their_options():
    """An option that came later is not among those that keys are made of, unless it is set."""
    for step in resolve(load_recipe("hpa-quick")).steps:
        assert "embeddings" not in step.options
    chosen = {step.kind: step for step in resolve(load_recipe("vectors")).steps}
    assert chosen["train"].options["embeddings"] == "embed"
