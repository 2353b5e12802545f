"""Recipe `one-class` on real cells with known truth: fields, folds and classes are right."""

import numpy as np
import polars as pl
import pytest

import cellwise
from cellwise.domain.tables import FOLDS, LABELS
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_classes, read_table
from cellwise.store.worlds.truth import read_truth

pytestmark = [pytest.mark.long, pytest.mark.slow]

SHORT = [f"{name}.epochs=1" for name in ("cell", "cell1", "cell2")]
_PER_FOLD = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Eight bags of each fold."""
    folder = tmp_path_factory.mktemp("bags") / "world"
    simulate_world(SimulateRequest(folder, "mitocheck", seed=5), lambda done, total, note: None)
    labels = pl.read_csv(folder / "labels.csv", infer_schema=False)
    kept = labels.filter(pl.int_range(pl.len()).over("Fold") < _PER_FOLD)
    for site in set(labels["site_id"]) - set(kept["site_id"]):
        (folder / "images" / f"{site}.png").unlink()
    kept.write_csv(folder / "labels.csv")
    return folder


@pytest.fixture(scope="module")
def done(world):
    return cellwise.run(
        world / "images",
        labels=world / "labels.csv",
        masks=world / "truth" / "masks",
        out=world.parent / "run",
        recipe="one-class",
        settings=["split.by=Metadata_Fold", *SHORT],
    )


def test_the_classes_arrive_verbatim(world, done):
    classes = read_truth(world).world["classes"]
    assert [n[5:] for n in done.cells.columns if n.startswith("Prob_")] == classes
    assert list(read_classes(RunFolder(done.path).labels("soft2"), LABELS)) == classes


def test_no_plate_lies_in_two_folds_of_the_run(world, done):
    folds = read_table(RunFolder(done.path).folds, FOLDS)
    cells = read_truth(world).cells.join(folds, on="site_id", suffix="_of_run")
    pairs = cells.select("group_of_run", "fold_of_run").unique()
    assert len(pairs) == 4
    assert cells.group_by("group").agg(pl.col("fold_of_run").n_unique())["fold_of_run"].max() == 1


@pytest.mark.parametrize("name", ["soft1", "soft2"])
def test_each_cell_has_one_answer_and_each_label_of_a_field_a_cell(world, done, name):
    frame = read_table(RunFolder(done.path).labels(name), LABELS)
    label = np.stack(frame["label"].to_list())
    assert label.sum(axis=1).max() <= 1 + 1e-5
    given = dict(pl.read_csv(world / "labels.csv").select("site_id", "label").iter_rows())
    classes = read_classes(RunFolder(done.path).labels(name), LABELS)
    for site in set(frame["site_id"]):
        shown = label[frame["site_id"].to_numpy() == site].sum(axis=0)
        wanted = np.isin(classes, given[site].split("|"))
        assert (shown[wanted] >= 1 - 1e-3).all()
        assert (shown[~wanted] == 0).all()


def test_the_true_labels_of_the_same_cells_can_take_the_place_of_the_inherited(world, tmp_path):
    out = cellwise.run(
        world / "images",
        labels=world / "labels.csv",
        masks=world / "truth" / "masks",
        out=tmp_path / "run",
        recipe="one-class-inherit",
        settings=[
            "split.by=Metadata_Fold", "cell.epochs=1", "inherited.by=known",
            f"inherited.truth={world}",
        ],
    )  # fmt: skip
    frame = read_table(RunFolder(out.path).labels("inherited"), LABELS)
    label = np.stack(frame["label"].to_list())
    assert (label.sum(axis=1) == 1).all()
    assert set(frame["reason"]) == {"known"}
    truth = read_truth(world).cells.join(frame, on=["site_id", "cell_id"])
    classes = np.array(read_classes(RunFolder(out.path).labels("inherited"), LABELS))
    shown = classes[np.stack(truth["label"].to_list()).argmax(axis=1)]
    assert shown.tolist() == truth["classes"].list.first().to_list()
