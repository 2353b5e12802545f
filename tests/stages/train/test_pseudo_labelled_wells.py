"""Learning from answers of models for new wells: who teaches, what is never looked at, resuming."""

import numpy as np
import polars as pl
import pytest
from tests.stages.train.learn_world import make_job, make_run, silent

from cellwise.domain.tables import FOLDS, SITES, TREATMENTS
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.stages.evaluate._screens import _taught_by_answers
from cellwise.stages.train._model import collected, groups_of, validation_of
from cellwise.stages.train.spec import Options
from cellwise.stages.train.step import work
from cellwise.store.run.models import read_card, read_model
from cellwise.store.run.tables import read_table, write_table

LABELLED, NEW = 12, 6
QUICK = {
    "labels": "",
    "task": {"name": "tile", "size": 64, "tile": 32},
    "loss": {"name": "softmax", "none": False},
    "normalise": "self",
    "balance": "none",
    "epochs": 2,
    "folds": [0],
    "pseudo_labels": "assign",
}
# Wells of the new sites: two sites in each of three; the answers, and what is true of them.
ANSWERS = {"N-1/1/B00": "ring", "N-1/1/B01": None, "N-1/1/B02": "spot"}


def make(tmp_path, *, fold=0, truth="spot"):
    """Two folds of labelled sites, and three new wells whose truth the table of sites knows."""
    run = make_run(tmp_path, sites=LABELLED, unlabelled=NEW)
    number = pl.col("site_id").str.slice(1).cast(pl.Int32)
    new = number >= LABELLED
    frame = read_table(run.sites, SITES).with_columns(
        pl.when(new).then(pl.lit("N-1")).otherwise(pl.lit("L-1")).alias("Metadata_Experiment"),
        pl.lit("1").alias("Metadata_Plate"),
        pl.concat_str(pl.lit("B0"), number // 2 % 3).alias("Metadata_Well"),
        pl.when(new).then(pl.lit("test")).otherwise("part").alias("part"),
        labels=pl.when(new).then([truth]).otherwise("labels"),
    )
    write_table(run.sites, SITES, frame)
    # New sites have no fold.
    folds = read_table(run.folds, FOLDS)
    write_table(run.folds, FOLDS, folds.with_columns(pl.col("fold").cast(pl.Int32)))
    rows = pl.DataFrame({"well": list(ANSWERS), "pseudo_label": list(ANSWERS.values())})
    rows = rows.with_columns(pseudo_fold=pl.lit(fold, pl.Int32), **EMPTY)
    write_table(run.treatments("assign"), TREATMENTS, rows)
    return run


EMPTY = {
    "class": pl.lit("spot"), "part": pl.lit("test"), "plate": pl.lit("N-1/1"),
    "experiment": pl.lit("N-1"), "position": pl.lit(""), "cell_type": pl.lit(""),
    "well_type": pl.lit("treatment"), "n_sites": pl.lit(2, pl.Int32),
    "fold": pl.lit(None, pl.Int32),
    "out_of_fold": pl.lit(value=False), "answer": pl.lit(""), "answer_free": pl.lit(""),
    "answer_grouped": pl.lit(""), "answer_assigned": pl.lit(""),
    "confidence": pl.lit(0.5, pl.Float32), "group": pl.lit(None, pl.Int32),
    "support": pl.lit(None, pl.Float32),
}  # fmt: skip


def job_of(run, **options):
    return make_job(run, **{**QUICK, **options})


def targets(run, **options):
    """The class that each site teaches, by site."""
    job = job_of(run, **options)
    found = collected(job, Options.of(job.options))
    classes = np.array(found.classes.positive)
    shown = [classes[row > 0].tolist() for row in found.material.targets]
    return dict(zip(found.sites, shown, strict=True)), found


def test_new_wells_teach_what_was_answered_and_never_what_is_true(tmp_path):
    shown, found = targets(make(tmp_path))
    new = {site: labels for site, labels in shown.items() if int(site[1:]) >= LABELLED}
    assert new == {"s12": ["ring"], "s13": ["ring"], "s16": ["spot"], "s17": ["spot"]}
    assert len(shown) == LABELLED + 4
    assert found.free.tolist() == [site in new for site in found.sites]
    assert (found.fold[found.free] == -1).all()
    # Other truths change nothing.
    again, _ = targets(make(tmp_path / "other", truth="ring"))
    assert again == shown
    assert targets(make(tmp_path / "plain"), pseudo_labels="")[0] == {
        site: labels for site, labels in shown.items() if site not in new
    }


def test_answers_of_models_that_learned_from_the_fold_are_refused(tmp_path):
    for number, fold in enumerate((1, None)):
        run = make(tmp_path / str(number), fold=fold)
        with pytest.raises(PreflightError, match=r"'folds: \[0\]'"):
            work(job_of(run), silent)
    run = make(tmp_path / "both")
    with pytest.raises(PreflightError, match="leaves fold 1 out"):
        work(job_of(run, folds=[]), silent)
    assert not (run.path / "models").exists()


def test_answers_judge_no_epoch_and_name_no_group(tmp_path):
    run = make(tmp_path)
    job = job_of(run, validate_on=["L-1", "N-1"])
    options = Options.of(job.options)
    found = collected(job, options)
    judging = validation_of(job, options, found, 0)
    assert judging.any()
    assert not judging[found.free].any()
    assert groups_of(found) == groups_of(targets(run, pseudo_labels="")[1])
    only_new = job_of(run, validate_on=["N-1"])
    with pytest.raises(BadOption, match="validate_on names N-1"):
        validation_of(only_new, Options.of(only_new.options), found, 0)


def test_a_training_on_answers_goes_on_where_it_was_stopped_and_says_what_it_learned(tmp_path):
    run = make(tmp_path)
    work(job_of(run, name="whole"), silent)

    class Stop(Exception):
        pass

    def until_second(done, total, note):
        if "epoch 2" in note:
            raise Stop

    with pytest.raises(Stop):
        work(job_of(run, name="cut"), until_second)
    work(job_of(run, name="cut"), silent)
    one, two = (read_model(run.model(name, 0))[1] for name in ("whole", "cut"))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    card = read_card(run.model("whole", 0))
    assert card.training["pseudo_labelled_sites"] == 4
    assert card.training["sites"] == LABELLED // 2 + 4
    work(job_of(run, name="plain", pseudo_labels=""), silent)
    other = read_model(run.model("plain", 0))
    assert "pseudo_labelled_sites" not in other[0].training
    assert any(not np.array_equal(one[name], other[1][name]) for name in one)


def test_a_table_without_answers_or_of_an_older_program_is_refused(tmp_path):
    run = make(tmp_path)
    rows = read_table(run.treatments("assign"), TREATMENTS)
    empty = rows.with_columns(pseudo_label=pl.lit(None, pl.String))
    write_table(run.treatments("assign"), TREATMENTS, empty)
    with pytest.raises(PreflightError, match=r"assign.pseudo_labels=0\.4"):
        work(job_of(run), silent)
    write_table(run.treatments("assign"), TREATMENTS, rows.drop("pseudo_fold"))
    with pytest.raises(FormatError, match="older cellwise"):
        work(job_of(run), silent)
    with pytest.raises(BadOption, match="whole sites"):
        Options.of({"labels": "label", "pseudo_labels": "assign"})


def test_an_evaluation_says_whose_networks_learned_from_answers(tmp_path):
    run = make(tmp_path)
    assert _taught_by_answers(run) == ()
    work(job_of(run, name="plain", pseudo_labels="", epochs=1), silent)
    assert _taught_by_answers(run) == ()
    work(job_of(run, name="again", epochs=1), silent)
    (said,) = _taught_by_answers(run)
    assert "networks of again have" in said
