"""`cellwise evaluate`: a run and the submission made from it say the same; bad input is named."""

import json
import shutil
import string
from contextlib import suppress

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.truths import (
    CLASSES,
    SIDE,
    squares,
    submission_rows,
    write_run,
    write_submission,
    write_truth,
)
from typer.testing import CliRunner

from cellwise.app.check import check_path
from cellwise.app.cli import app
from cellwise.app.evaluate import evaluate
from cellwise.app.evaluate._run import known_cells
from cellwise.domain.records import Masks
from cellwise.domain.tables import FOLDS, PREDICTIONS, SITES
from cellwise.errors import CellwiseError, FormatError, PreflightError, UsageError
from cellwise.kernels.runs import encode_masks
from cellwise.store.run.masks import write_labels
from cellwise.store.run.tables import empty_frame, read_table, write_table
from cellwise.store.worlds.truth import read_truth, write_truth_masks, write_truth_sites

HEADLINES = {"hpa_map_60", "cell_macro_ap", "cells_found_60", "ece"}


@pytest.fixture
def world(tmp_path):
    return write_truth(tmp_path / "world")


def hpa(tmp_path, rows):
    return write_submission(tmp_path / "submission.csv", rows)


@pytest.mark.slow
def test_new_and_labelled_fields_are_two_tables(tmp_path, world):
    run = write_run(tmp_path / "run")
    found = evaluate(run, world, draws=20)
    assert [table.title for table in found.tables] == ["new fields", "labelled fields"]
    new, labelled = (set(table.metrics) for table in found.tables)
    assert set(found.metrics) == new | {f"labelled_{name}" for name in labelled}
    assert new >= HEADLINES
    assert found.metrics["hpa_map_60"].n == found.metrics["labelled_hpa_map_60"].n == 28
    assert found.metrics["hpa_map_60"] != found.metrics["labelled_hpa_map_60"]


@pytest.mark.slow
def test_a_run_and_the_submission_made_from_it_say_the_same(tmp_path, world):
    run = write_run(tmp_path / "run", shift=1)
    # Five digits make ties; eight keep the order of the probabilities.
    path = hpa(tmp_path, submission_rows(shift=1, digits=8))
    ours, theirs = evaluate(run, world, draws=20), evaluate(path, world, draws=20)
    for name, metric in theirs.metrics.items():
        same = ours.metrics[name]
        for figure in ("value", "low", "high", "n"):
            expected = pytest.approx(getattr(same, figure), abs=1e-6)
            assert getattr(metric, figure) == expected, name


def test_the_order_of_rows_means_nothing(tmp_path, world):
    rows = submission_rows(digits=1)
    one = evaluate(hpa(tmp_path, rows), world, draws=20).metrics
    assert evaluate(hpa(tmp_path, rows[::-1]), world, draws=20).metrics == one


def test_the_result_stands_beside_the_metrics_of_the_run(tmp_path, world):
    run = write_run(tmp_path / "run")
    (run / "metrics.json").write_text("untouched")
    found = evaluate(run, world, draws=20)
    assert (run / "metrics.json").read_text() == "untouched"
    content = json.loads((run / "evaluation_truth.json").read_text())
    assert content["metrics"]["ece"]["value"] == found.metrics["ece"].value
    assert content["truth"]["world"]["world"] == "hpa"
    assert set(content["tables"]) == {"new fields", "labelled fields"}


def test_labelled_fields_that_every_model_saw_prove_nothing(tmp_path, world):
    run = write_run(tmp_path / "run")
    folds = pl.read_parquet(run / "folds.parquet")
    none = pl.when(pl.col("site_id") == "f00").then(None).otherwise("fold").alias("fold")
    write_table(run / "folds.parquet", FOLDS, folds.with_columns(none))
    found = evaluate(run, world, draws=20)
    assert found.metrics["labelled_hpa_map_60"].n == 21
    assert any("1 labelled fields were trained on" in note for note in found.warnings)


def test_a_truth_without_parts_takes_those_of_the_run_or_none(tmp_path):
    world = write_truth(tmp_path / "world", parts=())
    found = evaluate(write_run(tmp_path / "run"), world, draws=20)
    assert [table.prefix for table in found.tables] == ["", "labelled_"]
    alone = evaluate(write_run(tmp_path / "alone", part="train"), world, draws=20)
    assert [table.title for table in alone.tables] == ["all fields"]


def test_masks_alone_are_judged_as_masks_alone(tmp_path):
    world = write_truth(tmp_path / "world", known=False, parts=())
    found = evaluate(write_run(tmp_path / "run", part="test"), world, draws=20)
    assert set(found.metrics) >= {"segmentation_f1", "segmentation_f1_90", "cells_found_60"}
    assert not [name for name in found.metrics if name.startswith(("hpa", "cell_", "ece"))]
    run = write_run(tmp_path / "plain", part="test")
    (run / "predictions.parquet").unlink()
    full = write_truth(tmp_path / "full", parts=())
    found = evaluate(run, full, draws=20)
    assert any("no predictions" in note for note in found.warnings)
    assert "hpa_map_60" not in found.metrics


def test_a_field_that_was_set_aside_counts_as_missed(tmp_path, world):
    run = write_run(tmp_path / "run")
    (run / "masks" / "f01_cells.tif").unlink()
    table = read_table(run / "predictions.parquet", PREDICTIONS)
    write_table(run / "predictions.parquet", PREDICTIONS, table.filter(pl.col("site_id") != "f01"))
    found = evaluate(run, world, draws=20)
    assert found.metrics["cells_found_60"].value == pytest.approx(3 / 4)


def test_fields_that_the_run_never_saw_are_left_out(tmp_path):
    world = write_truth(tmp_path / "world", sites=10)
    found = evaluate(write_run(tmp_path / "run"), world, draws=20)
    assert found.metrics["hpa_map_60"].n == 28
    assert any("2 fields of the truth not in this run" in note for note in found.warnings)


def test_true_fields_without_cells_are_ordinary(tmp_path, world):
    nothing = np.zeros((SIDE, SIDE), np.uint16)
    write_truth_masks(world, "f01", Masks(nothing, nothing))
    cells = pl.read_csv(world / "cells.csv", infer_schema=False).filter(pl.col("site_id") != "f01")
    cells.write_csv(world / "cells.csv")
    found = evaluate(write_run(tmp_path / "run"), world, draws=20)
    assert found.metrics["hpa_map_60"].n == 21
    # All eight predicted cells of that field are false.
    assert found.metrics["segmentation_f1"].value == pytest.approx(2 * 21 / (2 * 21 + 8))


def test_known_cells_of_a_run_for_other_programs(tmp_path, world):
    known, classes = known_cells(write_run(tmp_path / "run"), read_truth(world))
    assert classes.names == CLASSES
    assert len(known) == 64
    assert known.found.all()
    assert known.ignored.sum() == 8
    assert set(known.part) == {"train", "test"}
    assert known.score.shape == known.truth.shape == (64, 3)


def test_a_run_and_a_truth_of_other_classes(tmp_path, world):
    run = write_run(tmp_path / "run")
    table = read_table(run / "predictions.parquet", PREDICTIONS)
    table = table.rename({"Prob_Golgi apparatus": "Prob_Golgi"})
    write_table(run / "predictions.parquet", PREDICTIONS, table)
    found = evaluate(run, world, draws=20)
    assert found.metrics["hpa_ap_60_Golgi apparatus"].value < 1
    assert any("does not know the class 'Golgi apparatus'" in note for note in found.warnings)
    assert any("truth does not know the class 'Golgi'" in note for note in found.warnings)


def test_missing_and_unknown_rows_are_said(tmp_path, world):
    rows = submission_rows()
    found = evaluate(hpa(tmp_path, [*rows[1:], ["other", "8", "8", ""]]), world, draws=20)
    assert found.metrics["cells_found_60"].value == pytest.approx(3 / 4)
    assert any("1 field without a row" in note for note in found.warnings)
    assert any("line 5, other" in note for note in found.warnings)
    with pytest.raises(PreflightError, match="no field in common"):
        evaluate(hpa(tmp_path, [["other", "8", "8", ""]]), world)
    with pytest.raises(FormatError, match="there is no row below the header"):
        evaluate(hpa(tmp_path, []), world)


def test_a_file_of_labelled_fields_is_not_mixed_with_new_ones(tmp_path, world):
    found = evaluate(hpa(tmp_path, submission_rows(part=None)), world, draws=20)
    assert [table.prefix for table in found.tables] == ["", "labelled_"]
    only = evaluate(hpa(tmp_path, submission_rows(part="train")), world, draws=20)
    assert [table.prefix for table in only.tables] == ["labelled_"]


def test_the_placeholder_of_the_challenge_is_a_false_prediction(tmp_path, world):
    rows = [
        [site, str(SIDE), str(SIDE), "0 1 eNoLCAgIMAEABJkBdQ=="] for site, *_ in submission_rows()
    ]
    found = evaluate(hpa(tmp_path, rows), world, draws=20)
    assert found.metrics["hpa_map_60"].value == 0
    assert check_path(hpa(tmp_path, rows))["exit_code"] == 0


def test_empty_strings_are_fields_without_cells(tmp_path, world):
    rows = [[site, "", "", ""] for site, *_ in submission_rows()]
    found = evaluate(hpa(tmp_path, rows), world, draws=20)
    assert (found.metrics["hpa_map_60"].value, found.metrics["cells_found_60"].value) == (0, 0)


MASK = encode_masks(squares(1))[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 1", "line 3 .*2 words are no triples"),
        ("0 nan " + MASK, "line 3 .*not finite"),
        ("19 1 " + MASK, "line 3 .*class '19'"),
        ("0 1 !!!", "line 3 .*mask 1: .*base64"),
        ("0 1 " + encode_masks(np.ones((SIDE, 41), np.uint8))[1], "line 3 .*mask 1 does not fill"),
    ],
)
def test_a_faulty_row_is_refused_with_its_line(tmp_path, world, text, words):
    rows = [*submission_rows()[:1], ["f03", str(SIDE), str(SIDE), text]]
    with pytest.raises(FormatError, match=words):
        evaluate(hpa(tmp_path, rows), world)
    facts = check_path(hpa(tmp_path, rows))
    assert facts["exit_code"] == 4
    assert [problem["line"] for problem in facts["problems"]] == [3]


def test_another_image_size_and_a_field_listed_twice_are_refused(tmp_path, world):
    rows = submission_rows()
    other = [[rows[0][0], "41", "40", rows[0][3]]]
    with pytest.raises(FormatError, match="is 41 x 40, the true mask is 40 x 40"):
        evaluate(hpa(tmp_path, other), world)
    with pytest.raises(FormatError, match=r"line 6 .*stands already in line 2"):
        evaluate(hpa(tmp_path, [*rows, rows[0]]), world)


def test_masks_of_another_size_or_missing_truth_masks_are_named(tmp_path, world):
    run = write_run(tmp_path / "run")
    write_labels(run / "masks" / "f01_cells.tif", np.ones((3, 3), np.uint16))
    with pytest.raises(FormatError, match=r"f01: .*cannot be compared"):
        evaluate(run, world)
    (world / "masks" / "f01_cells.tif").unlink()
    with pytest.raises(FormatError, match="f01, but there is no mask"):
        evaluate(run, world)


def test_what_is_no_run_and_no_truth_is_said(tmp_path, world):
    with pytest.raises(PreflightError, match="There is no run folder"):
        evaluate(tmp_path / "nothing", world)
    with pytest.raises(PreflightError, match="is not a run folder"):
        evaluate(tmp_path, world)
    write_run(tmp_path / "run")
    with pytest.raises(FormatError, match="holds no truth"):
        evaluate(tmp_path / "run", tmp_path)
    shutil.rmtree(world / "masks")
    (world / "cells.csv").unlink()
    with pytest.raises(
        PreflightError, match=r"share . fields, and nothing of them can be compared"
    ):
        evaluate(tmp_path / "run", world)


def wells_truth(folder):
    rows = [
        {
            "site_id": f"HUVEC-01_1_B0{well}_{site}",
            "part": "test",
            "group": "HUVEC-01_1",
            "sirna": str(well),
            "cell_type": "HUVEC",
            "experiment": "HUVEC-01",
            "plate": "1",
            "well": f"B0{well}",
        }
        for well in range(2, 6)
        for site in (1, 2)
    ]
    write_truth_sites(folder, pl.DataFrame(rows))
    return folder


def test_a_file_of_wells(tmp_path):
    world = wells_truth(tmp_path / "truth")
    rows = [[f"HUVEC-01_1_B0{well}", str(well if well < 5 else 9)] for well in range(2, 6)]
    path = write_submission(tmp_path / "s.csv", rows, header=("id_code", "sirna"))
    found = evaluate(path, world, draws=20)
    assert found.metrics["accuracy"].value == 3 / 4
    assert found.metrics["accuracy_HUVEC"].n == 4
    rows = [["HUVEC-01_1_B02", "2"], ["HUVEC-01_9_B02", "2"]]
    write_submission(path, rows, header=("id_code", "sirna"))
    found = evaluate(path, world, draws=20)
    assert found.metrics["accuracy"].value == 1 / 4
    assert any("1 well of the file not among the treated wells" in note for note in found.warnings)
    write_submission(path, [["x", "2"]], header=("id_code", "sirna"))
    with pytest.raises(PreflightError, match="in common"):
        evaluate(path, world)
    write_submission(path, [["x", "2"], ["x", "3"]], header=("id_code", "sirna"))
    with pytest.raises(FormatError, match=r"line 3 .*already in line 2"):
        evaluate(path, world)


def test_wells_of_the_train_part_never_pass_for_the_test_part(tmp_path):
    world = wells_truth(tmp_path / "truth")
    sites = read_truth(world).sites
    early = pl.col("well").is_in(["B02", "B03"])
    write_truth_sites(
        world,
        sites.with_columns(part=pl.when(early).then(pl.lit("train")).otherwise(pl.lit("test"))),
    )
    rows = [[f"HUVEC-01_1_B0{well}", str(well if well < 4 else 9)] for well in range(2, 6)]
    path = write_submission(tmp_path / "s.csv", rows, header=("id_code", "sirna"))
    found = evaluate(path, world, draws=20).metrics
    assert (found["accuracy"].value, found["labelled_accuracy"].value) == (0.0, 1.0)


@pytest.mark.parametrize("sirna", ["3.0", "banana", "-1"])
def test_a_well_given_no_number_is_refused_rather_than_counted_wrong(tmp_path, sirna):
    world = wells_truth(tmp_path / "truth")
    rows = [["HUVEC-01_1_B02", sirna]]
    path = write_submission(tmp_path / "s.csv", rows, header=("id_code", "sirna"))
    with pytest.raises(FormatError, match=r"line 2 .*no number of a sirna"):
        evaluate(path, world)


def test_a_truth_mask_that_is_missing_is_named_for_a_file_too(tmp_path, world):
    path = hpa(tmp_path, submission_rows(part=None))
    (world / "masks" / "f01_cells.tif").unlink()
    with pytest.raises(FormatError, match="f01, but there is no mask"):
        evaluate(path, world)


def test_a_row_cut_short_is_no_field_without_cells(tmp_path, world):
    rows = submission_rows(part=None)
    with pytest.raises(FormatError, match="is no image size"):
        evaluate(hpa(tmp_path, [*rows[:-1], [rows[-1][0], str(SIDE), "", ""]]), world)


def test_a_file_of_wells_needs_a_truth_of_wells(tmp_path, world):
    path = write_submission(tmp_path / "s.csv", [["a", "1"]], header=("id_code", "sirna"))
    with pytest.raises(PreflightError, match="knows no wells"):
        evaluate(path, world)


@pytest.mark.parametrize("form", ["columns", "lists", "wells", "strange wells"])
def test_a_run_on_wells(tmp_path, form):
    world = wells_truth(tmp_path / "truth")
    run = write_run(tmp_path / "run")
    sites = read_truth(world).sites["site_id"].to_list()
    listed = pl.read_parquet(run / "sites.parquet").with_columns(pl.Series("site_id", sites))
    write_table(run / "sites.parquet", SITES, listed)
    # Site 1 is right, site 2 is less sure of the next class; B05 is wrong on both.
    chances = {site: (0.9, 0.1) if site.endswith("1") else (0.4, 0.6) for site in sites}
    rows = empty_frame(PREDICTIONS).clear(len(sites)).with_columns(
        pl.lit("site").alias("unit"),
        pl.Series("site_id", sites),
        pl.lit("HUVEC-01_1").alias("Metadata_Plate"),
        pl.lit("HUVEC-01").alias("Metadata_Experiment"),
        pl.Series("Metadata_Well", [site.split("_")[2] for site in sites]),
    )  # fmt: skip
    names = ["2", "3", "4", "9"]
    right = [site[-3] if site[-3] != "5" else "9" for site in sites]
    other = ["3" if name == "2" else "2" for name in right]
    if form == "lists":
        pairs = [[a, b] for a, b in zip(right, other, strict=True)]
        rows = rows.with_columns(
            pl.Series("top_classes", pairs),
            pl.Series("top_probs", [list(chances[s]) for s in sites], dtype=pl.List(pl.Float32)),
        )
    else:
        columns = {name: np.zeros(len(sites), np.float32) for name in names}
        for k, site in enumerate(sites):
            columns[right[k]][k], columns[other[k]][k] = chances[site]
        rows = rows.with_columns(pl.Series(f"Prob_{n}", v) for n, v in columns.items())
    if form == "wells":
        wells = rows.filter(pl.col("site_id").str.ends_with("_1"))
        wells = wells.with_columns(pl.lit("well").alias("unit"), pl.lit("").alias("site_id"))
        write_table(run / "predictions_well.parquet", PREDICTIONS, wells)
    if form == "strange wells":
        # All of them are right here, but their names are not those of the truth.
        wells = rows.with_columns(Metadata_Experiment=pl.lit(""), site_id=pl.lit(None, pl.String))
        write_table(run / "predictions_well.parquet", PREDICTIONS, wells)
    write_table(run / "predictions.parquet", PREDICTIONS, rows)
    found = evaluate(run, world, draws=20)
    assert found.metrics["accuracy"].value == 3 / 4


def test_the_command_prints_tables_or_json(tmp_path, world):
    run = write_run(tmp_path / "run")
    shown = CliRunner().invoke(app, ["evaluate", str(run), "--truth", str(world)])
    assert shown.exit_code == 0
    for words in ("New fields: 4 fields", "Labelled fields", "labelled_hpa_map_60", "Golgi"):
        assert words in shown.stdout
    printed = CliRunner().invoke(app, ["evaluate", str(run), "--truth", str(world), "--json"])
    content = json.loads(printed.stdout)
    assert list(content) == ["metrics"]
    assert set(content["metrics"]["hpa_map_60"]) == {"value", "low", "high", "n", "unit"}
    assert "rough" in printed.stderr


def test_check_says_what_a_submission_holds(tmp_path):
    path = hpa(tmp_path, submission_rows())
    facts = check_path(path)
    assert (facts["kind"], facts["rows"], facts["predictions"], facts["masks"]) == (
        "hpa", 4, 96, 32,
    )  # fmt: skip
    assert facts["exit_code"] == 0
    shown = CliRunner().invoke(app, ["check", str(path)])
    assert (shown.exit_code, "every mask decoded" in shown.stdout) == (0, True)
    with pytest.raises(UsageError, match="without any option"):
        check_path(path, full=True)
    write_submission(path, [["a", ""]], header=("id_code", "sirna"))
    shown = CliRunner().invoke(app, ["check", str(path)])
    assert (shown.exit_code, "line 2: a: there is no sirna" in shown.stdout) == (4, True)


WORDS = st.one_of(
    st.sampled_from(["0", "18", "1", "0.5", "nan", MASK, MASK[:-4], "eNoLCAgIMAEABJkBdQ=="]),
    st.text(string.printable, max_size=4),
)
ROWS = st.tuples(
    st.sampled_from(["f00", "f01", "f03", "f 1", "other", ""]),
    st.sampled_from([str(SIDE), "0", "9", ""]),
    st.sampled_from([str(SIDE), "-1", ""]),
    st.lists(WORDS, max_size=6).map(" ".join),
)


@given(st.lists(ROWS, max_size=4))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_handed_in_it_is_judged_or_refused(tmp_path, rows):
    world = tmp_path / "fuzz"
    if not world.exists():
        write_truth(world, sites=4, cells=3)
    path = hpa(tmp_path, [list(row) for row in rows])
    with suppress(CellwiseError):
        evaluate(path, world, draws=3)
    with suppress(CellwiseError):
        check_path(path)
