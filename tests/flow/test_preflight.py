"""`check`, `run` and the steps refuse the same folders, before any work and with words to paste."""

import re
import shlex
import shutil
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faults.fault_runs import PLAIN
from tests.worlds import CHANNELS, SIZE, plate, save

from cellwise.domain.channels import Channel
from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.records import ChannelFile, Field, Site
from cellwise.domain.steps import Job
from cellwise.errors import InputError, PreflightError
from cellwise.flow.check import check_folder
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.recipe.resolve import parse_setting
from cellwise.flow.request import make_request, settings_of
from cellwise.stages.segment.step import foresee as foresee_segmenting
from cellwise.stages.segment.watershed import build

NAMES = st.text(string.ascii_letters + string.digits + " -_", min_size=1, max_size=8)
ROLES = st.sampled_from([None, "nucleus", "protein", "er", "brightfield"])


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """A plate whose channels are called by what says nothing."""
    home = tmp_path_factory.mktemp("renamed")
    plate(home / "images", 2)
    for path in (home / "images").iterdir():
        for old, new in zip(CHANNELS, ("plane1", "plane2"), strict=True):
            if old in path.name:
                path.rename(path.with_name(path.name.replace(old, new)))
    return home


def test_no_nucleus_is_refused_by_check_and_run_alike(renamed, tmp_path):
    facts = check_folder(renamed / "images")
    (said,) = facts["refused"]
    assert facts["exit_code"] == 4
    request = make_request(renamed / "images", tmp_path / "new.run", workers=1, device="cpu")
    with pytest.raises(PreflightError) as caught:
        run_pipeline(request)
    assert str(caught.value) == f"{said['reason']} {said['remedy']}"
    assert not (tmp_path / "new.run" / "masks").exists()


def test_the_remedy_can_be_pasted(renamed):
    (said,) = check_folder(renamed / "images")["refused"]
    # One setting to paste; the screen makes a whole command of it.
    (found,) = re.findall(r"--set (\S+=nucleus)", said["remedy"])
    assert found == said["settings"][0]
    assert len(said["settings"]) == 2
    for text in said["settings"]:
        path, value = parse_setting(text)
        assert check_folder(renamed / "images", settings={path: value})["exit_code"] == 0


def test_masks_of_ones_own_need_no_nucleus(renamed, tmp_path):
    (tmp_path / "masks").mkdir()
    for well in ("A01", "A02"):
        mask = np.zeros((SIZE, SIZE), np.uint16)
        mask[20:40, 20:40] = 1
        save(tmp_path / "masks" / f"{well}.tif", mask)
    facts = check_folder(renamed / "images", settings=settings_of(masks=tmp_path / "masks"))
    assert (facts["refused"], facts["exit_code"]) == ([], 0)
    assert facts["cost"]["cells"] == 2


def test_fields_without_mask_are_named_by_check_and_set_aside_as_by_run(renamed, tmp_path):
    mask = np.zeros((SIZE, SIZE), np.uint16)
    mask[20:40, 20:40] = 1
    save(tmp_path / "masks" / "A02.tif", mask)
    masks = tmp_path / "masks"
    facts = check_folder(renamed / "images", settings=settings_of(masks=masks))
    (problem,) = facts["problems"]
    assert (problem["path"], problem["code"]) == ("A01", "mask_missing")
    assert facts["exit_code"] == 3
    assert facts["cost"]["cells"] == 1
    request = make_request(
        renamed / "images", tmp_path / "new.run", workers=1, device="cpu", masks=masks
    )
    assert run_pipeline(request).exit_code == 3
    rows = (tmp_path / "new.run" / "quarantine.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["A01", "segment", "mask_missing"]]


def test_masks_that_do_not_fit_their_fields_are_named_by_check(renamed, tmp_path):
    for well in ("A01", "A02"):
        save(tmp_path / "masks" / f"{well}.tif", np.eye(SIZE // 2, dtype=np.uint16))
    facts = check_folder(renamed / "images", settings=settings_of(masks=tmp_path / "masks"))
    assert {fault["code"] for fault in facts["decoded"]["faults"]} == {"mask_size"}
    assert facts["exit_code"] == 3


def test_classes_are_counted_without_the_fields_that_lack_a_mask(renamed, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("well,label\nA01,a\nA02,b\n")
    save(tmp_path / "masks" / "A02.tif", np.ones((SIZE, SIZE), np.uint16))
    given = settings_of(masks=tmp_path / "masks", labels=labels)
    assert check_folder(renamed / "images", settings=given)["labels"]["labelled"] == 1


def test_masks_of_other_fields_are_refused_by_check_and_run_alike(renamed, tmp_path):
    save(tmp_path / "masks" / "H07.tif", np.ones((SIZE, SIZE), np.uint16))
    masks = tmp_path / "masks"
    (said,) = check_folder(renamed / "images", settings=settings_of(masks=masks))["refused"]
    request = make_request(
        renamed / "images", tmp_path / "new.run", masks=masks, workers=1, device="cpu"
    )
    with pytest.raises(PreflightError) as caught:
        run_pipeline(request)
    assert str(caught.value) == f"{said['reason']} {said['remedy']}"


def test_a_run_that_is_there_is_not_judged_anew(tmp_path, monkeypatch):
    plate(tmp_path / "images", 2)
    request = make_request(
        tmp_path / "images", tmp_path / "new.run", recipe=str(PLAIN), workers=1, device="cpu"
    )
    run_pipeline(request)
    said = Foresight((Refusal("One is missing.", "Bring it."), Refusal("Two is torn.")))
    monkeypatch.setattr("cellwise.stages.segment.step.foresee", lambda job, folder: said)
    assert run_pipeline(request).exit_code == 0
    shutil.rmtree(tmp_path / "new.run")
    with pytest.raises(PreflightError) as caught:
        run_pipeline(request)
    assert str(caught.value).splitlines() == ["One is missing. Bring it.", "Two is torn."]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(NAMES, ROLES), min_size=1, max_size=5, unique_by=(lambda c: c[0], lambda c: c)
    )
)
def test_the_segmenter_refuses_a_folder_exactly_where_it_would_refuse_its_fields(pairs):
    channels = tuple(Channel(name, role) for name, role in pairs)
    files = tuple(ChannelFile(channel, ("x.png",)) for channel in channels)
    facts = FolderFacts((Site("a", "a", files),), channels)
    job = Job(None, None, "segment", {"name": "watershed", "masks": ""}, key="", seed=0)
    said = foresee_segmenting(job, facts).refusals
    field = Field("a", np.zeros((len(channels), 8, 8), np.float32), channels)
    if not said:
        build()(field)
        return
    with pytest.raises(InputError) as caught:
        build()(field)
    assert [one.code for one in said] == [caught.value.code]
    offered = [word for word in shlex.split(said[0].remedy) if word.startswith("read.roles.")]
    names = {word.removeprefix("read.roles.").partition("=")[0] for word in offered}
    assert offered
    assert names <= {channel.name for channel in channels}


def test_one_field_that_can_be_used_is_enough():
    def site(name, role):
        return Site(name, name, (ChannelFile(Channel("x", role), ("x.png",)),
                                 ChannelFile(Channel("y", "er"), ("y.png",))))  # fmt: skip

    job = Job(None, None, "segment", {"name": "small_unet", "masks": ""}, key="", seed=0)
    good, bad = site("a", "nucleus"), site("b", None)
    assert foresee_segmenting(job, FolderFacts((good, bad), good.channels)) == Foresight()
    assert len(foresee_segmenting(job, FolderFacts((bad,), bad.channels)).refusals) == 1
