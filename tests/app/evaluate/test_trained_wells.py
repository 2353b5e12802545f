"""Labelled wells that every model was trained on are no misses."""

import polars as pl
from tests.app.evaluate.test_evaluate import wells_truth
from tests.truths import write_run

from cellwise.app.evaluate import evaluate
from cellwise.domain.tables import SITES, TREATMENTS
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table
from cellwise.store.worlds.truth import read_truth, write_truth_sites
from cellwise.testing.runs import ANSWERS


def test_a_labelled_well_without_an_answer_is_left_out_and_one_of_the_test_part_is_a_miss(tmp_path):
    world = wells_truth(tmp_path / "truth")
    truth = read_truth(world).sites
    learned = pl.col("well").is_in(["B02", "B03", "B04"])
    part = pl.when(learned).then(pl.lit("train")).otherwise(pl.lit("test")).alias("part")
    write_truth_sites(world, truth.with_columns(part))
    run = RunFolder(write_run(tmp_path / "run"))
    run.folds.unlink(missing_ok=True)
    listed = pl.read_parquet(run.sites).with_columns(truth["site_id"])
    write_table(run.sites, SITES, listed)
    # B02 was left out by a model and is right, B03 was left out and is wrong, B04 was not left out;
    # of the test part B05 has no answer.
    rows = [("B02", "train", "2", True, "2"), ("B03", "train", "3", True, "9")]
    rows += [("B04", "train", "4", False, None), ("B05", "test", None, False, None)]
    names = ("position", "part", "class", "out_of_fold", "answer")
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        well=pl.format("HUVEC-01/HUVEC-01_1/{}", "position"), plate=pl.lit("HUVEC-01/HUVEC-01_1"),
        experiment=pl.lit("HUVEC-01"), cell_type=pl.lit("HUVEC"), well_type=pl.lit("treatment"),
        n_sites=2, fold=None, confidence=0.5, group=None, support=None, pseudo_label=None,
        **{name: pl.col("answer") for name in ANSWERS if name != "answer"},
    )  # fmt: skip
    write_table(run.treatments(), TREATMENTS, frame)
    found = evaluate(run.path, world, draws=20)
    known = found.metrics["labelled_accuracy"]
    assert (known.value, known.n) == (1 / 2, 2)
    assert (found.metrics["accuracy"].value, found.metrics["accuracy"].n) == (0, 1)
    said = " ".join(found.warnings)
    assert "1 labelled well trained on by every model: left out." in said
    assert "No answer for 1 of 1 well: counted as missed." in said
