"""A folder laid out as RxRx1: the recipe that `check` proposes, and what it costs."""

import shutil

import numpy as np
import pytest

from cellwise.flow.check import check_folder
from cellwise.store.worlds.rxrx1_folder import SitePlace, write_planes

WELLS = 36


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """Three experiments of one plate each; tiny images, one for all wells of an experiment."""
    folder, rows = tmp_path_factory.mktemp("screen"), []
    for e in (1, 2, 3):
        random = np.random.default_rng(e)
        pixels = random.integers(0, 255, (6, 16, 16), dtype=np.uint8)
        for well in range(WELLS):
            place = SitePlace("train", f"RPE-0{e}", 1, f"{'BCD'[well // 12]}{well % 12 + 2:02d}", 1)
            write_planes(folder, place, pixels)
            rows.append(f"{place.id_code},{place.experiment},1,{place.well},{well % 9}")
    (folder / "train.csv").write_text("\n".join(["id_code,experiment,plate,well,sirna", *rows]))
    return folder


def test_the_recipe_of_screens_is_proposed_with_what_it_costs(screen):
    facts = check_folder(screen)
    assert facts["layout"] == "rxrx1"
    assert facts["recipe"] == "rxrx1-quick"
    assert not facts["refused"]
    assert facts["exit_code"] == 0
    seconds = facts["cost"]["cpu_seconds_per_step"]
    looking = ("adapt", "adapt adapt_all", "embed seen", "score tuned")
    for step in ("statistics", "train all", "train tuned", *looking):
        assert seconds[step] > 0, step
    # Decoded fields are kept: 108 of 6 channels and 256 x 256 bytes.
    assert facts["cost"]["disk_bytes"] >= 108 * 6 * 256**2


def test_more_folds_than_experiments_are_refused_before_any_work(screen):
    facts = check_folder(screen, recipe="rxrx1-quick", settings={"split.folds": 4})
    assert any("4 folds" in refusal["reason"] for refusal in facts["refused"])


def codes(facts):
    return {refusal["code"] for refusal in facts["refused"]}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"all.normalise": "controls"}, "no_controls"),
        ({"adapt.on": "controls"}, "no_controls"),
        ({"all.validate_on": ["RPE-7"]}, "validate_on"),
    ],
)
def test_what_no_plate_has_is_said_before_any_work(screen, settings, code):
    facts = check_folder(screen, recipe="rxrx1-quick", settings=settings)
    assert codes(facts) == {code}
    assert facts["exit_code"] == 4
    cure = facts["refused"][0]["settings"][0]
    assert f"--set {cure}" in facts["refused"][0]["remedy"]


def test_one_plate_of_three_without_controls_is_named(screen, tmp_path):
    shutil.copytree(screen, tmp_path / "world")
    lines = (screen / "train.csv").read_text().splitlines()
    held = [n for n, line in enumerate(lines) if line.startswith(("RPE-01_1_B02", "RPE-03_1_B02"))]
    controls = ["id_code,experiment,plate,well,sirna,well_type"]
    controls += [f"{lines[n]},negative_control" for n in held]
    (tmp_path / "world" / "train_controls.csv").write_text("\n".join(controls))
    kept = [line for n, line in enumerate(lines) if n not in held]
    (tmp_path / "world" / "train.csv").write_text("\n".join(kept))
    settings = {"adapt.by": "plate", "adapt.on": "controls"}
    facts = check_folder(tmp_path / "world", recipe="rxrx1-quick", settings=settings)
    assert codes(facts) == {"no_controls"}
    assert "1 of 3 plates" in facts["refused"][0]["reason"]
    assert "RPE-02_1" in facts["refused"][0]["reason"]


def test_controls_only_are_refused_where_controls_are_left_out(screen, tmp_path):
    shutil.copytree(screen, tmp_path / "world")
    header, *rows = (tmp_path / "world" / "train.csv").read_text().splitlines()
    (tmp_path / "world" / "train.csv").unlink()
    controls = [f"{header},well_type", *(f"{row},positive_control" for row in rows)]
    (tmp_path / "world" / "train_controls.csv").write_text("\n".join(controls))
    settings = {"all.controls": "left_out", "tuned.controls": "left_out"}
    facts = check_folder(tmp_path / "world", recipe="rxrx1-quick", settings=settings)
    assert codes(facts) == {"only_controls"}
    assert "108 labelled fields" in facts["refused"][0]["reason"]
