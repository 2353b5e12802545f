"""Exports of wells: the submission of RxRx1 and back, profiles that pycytominer reads."""

import numpy as np
import polars as pl
import pytest
from tests.screens import Screen

from cellwise.app.check import check_path
from cellwise.app.evaluate._wells import answers_of_wells
from cellwise.domain.steps import Job
from cellwise.domain.tables import PROFILES
from cellwise.errors import PreflightError, UsageError
from cellwise.stages.assign.spec import Options as AssignOptions
from cellwise.stages.assign.step import work as assign
from cellwise.stages.export import exporters
from cellwise.stages.profile.spec import Options as ProfileOptions
from cellwise.stages.profile.step import work as profile
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.submissions import read_rxrx1_submission


def quiet(done, total, note):
    return None


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A screen whose treatments are numbers, decided one-to-one, with profiles."""
    made = Screen(tmp_path_factory.mktemp("wells"), experiments=4, tests=2)
    made.classes = tuple(str(k) for k in range(len(made.classes)))
    made._write(told=False)
    made.embed("tiles")
    run = made.run
    options = AssignOptions.of({"from": "tiles", "design": "one_to_one"})
    assign(Job(run.path, run.path, "assign", options.model_dump(by_alias=True), "k", 0), quiet)
    chosen = ProfileOptions.of({"embeddings": "tiles"}).model_dump()
    profile(Job(run.path, run.path, "wells", chosen, "k", 0), quiet)
    return made


@pytest.fixture
def submission(screen, tmp_path):
    path = tmp_path / "submission.csv"
    exporters.build("rxrx1_csv")(screen.run, path)
    return path


def test_a_submission_has_a_row_for_each_treated_test_well(screen, submission):
    rows, faults = read_rxrx1_submission(submission)
    assert not faults
    wanted = {f"{r[0]}_{r[1]}_{r[2]}" for r in screen.rows if r[7] and r[5] == "treatment"}
    assert set(rows["id_code"]) == wanted
    answers = answers_of_wells(screen.run)
    assert dict(rows.select("id_code", "sirna").iter_rows()) == {
        code: name for code, name in answers["assigned"].items() if code in wanted
    }
    assert set(answers) == {"answer", "free", "grouped", "assigned"}


def test_a_submission_read_back_equals_the_run(screen, submission):
    facts = check_path(submission, against=screen.run.path)
    assert facts["problems"] == []
    assert facts["exit_code"] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lines: lines[:-1], "missing_row"),
        (lambda lines: [*lines, "HUVEC-99_1_B02,3"], "unknown_row"),
        (lambda lines: [*lines[:1], lines[1].split(",")[0] + ",999", *lines[2:]], "other_answer"),
    ],
)
def test_a_file_that_differs_from_the_run_is_told(screen, submission, change, code):
    lines = submission.read_text().splitlines()
    submission.write_text("\n".join(change(lines)) + "\n")
    facts = check_path(submission, against=screen.run.path)
    assert [problem["code"] for problem in facts["problems"]] == [code]
    assert facts["exit_code"] == 4


def test_a_challenge_folder_says_which_wells_and_treatments_there_are(submission, tmp_path):
    folder = tmp_path / "rxrx1"
    folder.mkdir()
    ids = pl.read_csv(submission, infer_schema=False)
    ids.select("id_code").write_csv(folder / "test.csv")
    ids.write_csv(folder / "train.csv")
    assert check_path(submission, against=folder)["problems"] == []
    assert check_path(submission, against=folder / "test.csv")["problems"] == []
    head, first, *rest = submission.read_text().splitlines()
    submission.write_text("\n".join([head, first.split(",")[0] + ",5000", *rest]))
    (problem,) = check_path(submission, against=folder)["problems"]
    assert problem["code"] == "unknown_class"
    with pytest.raises(UsageError, match="sample_submission"):
        check_path(submission, against=tmp_path / "rxrx1" / "..")
    with pytest.raises(UsageError, match="submission file"):
        check_path(folder, against=folder)


def test_what_is_no_submission_is_refused(tmp_path):
    named = Screen(tmp_path / "named", experiments=2)
    with pytest.raises(PreflightError, match="no step 'assign'"):
        exporters.build("rxrx1_csv")(named.run, tmp_path / "x.csv")
    options = AssignOptions.of({"from": "tiles"}).model_dump(by_alias=True)
    assign(Job(named.run.path, named.run.path, "assign", options, "k", 0), quiet)
    with pytest.raises(PreflightError, match="no numbers of siRNAs"):
        exporters.build("rxrx1_csv")(named.run, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_profiles_are_read_back_with_their_metadata(screen, tmp_path):
    import anndata

    path = tmp_path / "profiles.h5ad"
    exporters.build("profiles")(screen.run, path)
    found = anndata.read_h5ad(path)
    table = read_table(screen.run.profiles("wells"), PROFILES)
    np.testing.assert_array_equal(found.X, table["vector"].to_numpy())
    assert found.obs["Metadata_Id"].astype(str).to_list() == table["well"].to_list()
    assert all(name.startswith("Metadata_") for name in found.obs.columns)
    assert found.obs["Metadata_Plate"].astype(str).to_list() == table["plate"].to_list()
    assert found.obs["Metadata_WellType"].value_counts()["negative_control"] == 16
    with pytest.raises(PreflightError, match="holds no profiles"):
        exporters.build("profiles")(Screen(tmp_path / "n").run, tmp_path / "y.h5ad")


def test_pycytominer_loads_and_normalises_profiles(screen, tmp_path):
    pycytominer = pytest.importorskip(
        "pycytominer", reason="pycytominer is an extra: pip install 'cellwise[profiles]'"
    )
    path = tmp_path / "profiles.h5ad"
    exporters.build("profiles")(screen.run, path)
    frame = pycytominer.cyto_utils.load_profiles(str(path))
    table = read_table(screen.run.profiles("wells"), PROFILES)
    features = [name for name in frame.columns if not name.startswith("Metadata_")]
    numbers = [name for name in features if name.startswith("number_")]
    np.testing.assert_allclose(frame[numbers].to_numpy(), table["vector"].to_numpy(), rtol=1e-6)
    assert frame["Metadata_Treatment"].astype(str).to_list() == [
        str(name) for name in table["class"].fill_null("nan")
    ]
    done = pycytominer.normalize(
        frame, features=numbers, meta_features="infer",
        samples="Metadata_WellType == 'negative_control'",
    )  # fmt: skip
    assert done[numbers].shape == (len(table), len(numbers))
    assert (
        abs(done.loc[done["Metadata_WellType"] == "negative_control", numbers].mean()).max() < 1e-4
    )
