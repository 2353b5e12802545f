"""The step on a small screen: means over sites, networks apart, controls that are not there."""

import numpy as np
import polars as pl
import pytest
from tests.screens import Screen

from cellwise.domain.steps import Job
from cellwise.domain.tables import PROFILES
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.profile.spec import Options
from cellwise.stages.profile.step import work
from cellwise.store.run.tables import read_classes, read_table


def profile(run, name="profile", **options):
    chosen = Options.of({"embeddings": "tiles", **options}).model_dump()
    counts = work(Job(run.path, run.path, name, chosen, "k", 0), lambda *_: None)
    return read_table(run.profiles(name), PROFILES), counts


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    made = Screen(tmp_path_factory.mktemp("profiles"), experiments=4)
    made.embed("tiles")
    return made


def test_a_well_has_the_mean_of_its_sites(screen):
    frame, counts = profile(screen.run, normalise="none")
    assert counts["wells"] == len(frame) == 4 * 4 * 6
    assert frame["n_vectors"].unique().to_list() == [2]
    own = [row for row in screen.rows if row[:3] == ("U2OS-00", 1, "B03")]
    mean = np.mean([row[9] for row in own], axis=0)
    row = frame.filter(pl.col("well") == "U2OS-00/U2OS-00_1/B03")
    np.testing.assert_allclose(row["vector"].to_numpy()[0], mean, rtol=1e-5)
    assert row["class"].to_list() == [screen.truth["U2OS-00/U2OS-00_1/B03"]]
    assert len(read_classes(screen.run.profiles("profile"), PROFILES)) == len(screen.classes)


def test_plates_are_centred_for_each_network_by_itself(screen):
    frame, counts = profile(screen.run)
    assert counts["models"] == 3
    for _, rows in frame.group_by("plate"):
        assert rows["model"].n_unique() == 1
        np.testing.assert_allclose(rows["vector"].to_numpy().mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("way", ["controls", "spherize", "typical_variation"])
def test_controls_are_in_the_middle(screen, way):
    frame, _ = profile(screen.run, normalise=way)
    controls = frame.filter(pl.col("well_type") != "treatment")
    for _, rows in controls.group_by("plate"):
        np.testing.assert_allclose(rows["vector"].to_numpy().mean(axis=0), 0, atol=1e-4)


def test_a_plate_without_controls_is_refused_where_they_are_asked_for(tmp_path):
    screen = Screen(tmp_path, experiments=2, tests=1)
    screen.rows = [r for r in screen.rows if r[1] != 3 or r[5] == "treatment"]
    screen._write(told=False)
    screen.embed("tiles")
    with pytest.raises(PreflightError, match="2 plates without a well"):
        profile(screen.run, normalise="controls")
    assert len(profile(screen.run)[0]) == 2 * 4 * 6 - 2 * 2


@pytest.mark.parametrize("options", [{"embeddings": ""}, {"regularise": 0}, {"normalise": "x"}])
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(BadOption, match=next(iter(options))):
        Options.of({"embeddings": "tiles", **options})
