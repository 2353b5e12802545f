"""The recipe `rxrx1-quick` whole, on a tiny screen: from images to profiles that others read."""

import anndata
import numpy as np
import polars as pl
import pytest
from tests.lab.benchmark.tiny_screen import CONTROL, TREATMENTS, write_screen

import cellwise
from cellwise.app.check import check_path
from cellwise.domain.tables import PROFILES
from cellwise.domain.tables import TREATMENTS as WELLS
from cellwise.errors import PreflightError, UsageError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]

SMALL = [
    *(f"{step}.task={{name: tile, size: 32, tile: 16, order: alike}}" for step in ("all", "tuned")),
    *(f"{step}.net={{name: tiny, width: 4, norm: batch}}" for step in ("all", "tuned")),
    *(f"{step}.epochs=1" for step in ("all", "tuned")),
    "all.batch=4", "tuned.batch=4",
]  # fmt: skip
# Five experiments of two plates of two treatments and a control.
EXPERIMENTS, PLATES = 5, 2


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    home = tmp_path_factory.mktemp("screen")
    write_screen(home, experiments=EXPERIMENTS)
    return home / "screen"


@pytest.fixture(scope="module")
def done(screen):
    return cellwise.run(
        screen, out=screen.parent / "run", recipe="rxrx1-quick", settings=SMALL, workers=1
    )


def test_every_well_is_answered_and_has_a_profile(done):
    run = RunFolder(done.path)
    wells = read_table(run.treatments("assign"), WELLS)
    assert len(wells) == EXPERIMENTS * PLATES * 3
    # Networks left one experiment out: of the others only they and the test part are answered.
    shown = wells.filter(pl.col("part") == "test")
    assert shown["answer"].null_count() == 0
    names = {str(name) for name in range(TREATMENTS)}
    assert set(shown.filter(pl.col("well_type") == "treatment")["answer"]) <= names
    for name in ("as_seen", "centred"):
        profiles = read_table(run.profiles(name), PROFILES)
        assert set(profiles["well"]) >= set(shown["well"])
        assert np.isfinite(profiles["vector"].to_numpy()).all()


def test_profiles_come_back_from_the_file_of_others_as_they_were(done, tmp_path):
    file = tmp_path / "profiles.h5ad"
    cellwise.open_run(done.path).export("profiles", file)
    read = anndata.read_h5ad(file)
    profiles = read_table(RunFolder(done.path).profiles("centred"), PROFILES)
    np.testing.assert_allclose(read.X, profiles["vector"].to_numpy(), rtol=1e-6)
    back = read.obs.astype(object).where(read.obs.notna(), None)
    for column, name in (("well", "Id"), ("plate", "Plate"), ("class", "Treatment")):
        assert back[f"Metadata_{name}"].to_list() == profiles[column].to_list()
    assert set(back["Metadata_WellType"]) == {"treatment", "negative_control"}
    with pytest.raises(PreflightError, match="--step as_seen or centred"):
        cellwise.open_run(done.path).export("profiles", file, step="other")
    with pytest.raises(UsageError, match="goes with profiles"):
        cellwise.open_run(done.path).export("rxrx1-csv", file, step="centred")
    controls = back["Metadata_WellType"] == "negative_control"
    assert set(back.loc[controls, "Metadata_Treatment"]) == {str(CONTROL)}


def test_its_submission_is_read_back_without_a_fault(done, screen, tmp_path):
    file = tmp_path / "submission.csv"
    cellwise.open_run(done.path).export("rxrx1-csv", file)
    facts = check_path(file, against=screen)
    assert facts["exit_code"] == 0
    assert facts["rows"] == PLATES * 2
