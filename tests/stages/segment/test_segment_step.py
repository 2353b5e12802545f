"""The step: files on disk in, masks and pixel facts out, faults set aside, repeats equal."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import tifffile
from PIL import Image
from tests.stages.site_steps import do

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Field, Site
from cellwise.domain.steps import Finished, Job
from cellwise.domain.tables import PIXELS, SITES
from cellwise.errors import BadOption
from cellwise.stages.segment import step
from cellwise.stages.segment.facts import pixel_facts
from cellwise.store.masks.imported import GivenMasks
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.segmentation import read_notes
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table


def spots(seed):
    """Nine round nuclei on a noisy ground, 8-bit."""
    y, x = np.mgrid[:120, :120]
    image = np.random.default_rng(seed).normal(10, 1, (120, 120))
    for cy in (20, 60, 100):
        for cx in (20, 60, 100):
            image += 150 * (np.hypot(y - cy, x - cx) < 9)
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def job(tmp_path):
    """Three sites with two channels each, written as PNG and listed in a run folder."""
    images = tmp_path / "images"
    images.mkdir()
    sites = []
    for number, name in enumerate(("a", "b", "c")):
        files = []
        for channel in ("dna", "er"):
            Image.fromarray(spots(number)).save(images / f"{name}_{channel}.png")
            role = "nucleus" if channel == "dna" else "er"
            files.append(ChannelFile(Channel(channel, role), (f"{name}_{channel}.png",)))
        sites.append(Site(name, f"raw {name}", tuple(files)))
    run = RunFolder(tmp_path / "run")
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    return Job(run.path, images, "segment", {"name": "watershed", "masks": ""}, key="k", seed=0)


def other(job, **options):
    return Job(job.run, job.images, job.name, {"name": "watershed", **options}, key="k", seed=0)


def noted(*site_ids):
    return {site_id: Finished("k", merged=True) for site_id in site_ids}


def contents(job):
    run = RunFolder(job.run)
    files = [*run.masks.glob("*"), run.pixels]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_masks_and_counts_of_each_site(job):
    records = do(step, job, ["a", "b", "c"])
    assert [record.site_id for record in records] == ["a", "b", "c"]
    for record in records:
        assert record.error is None
        assert record.counts == {"cells": 9, "nuclei": 9, "border": 0}
        assert read_masks(RunFolder(job.run).masks, record.site_id).cells.max() == 9


def test_the_parts_own_options_reach_it(job):
    (record,) = do(step, other(job, name="grid", tile=60), ["a"])
    assert record.counts == {"cells": 4, "nuclei": 4, "border": 4}


def test_pixel_facts_are_merged_for_the_sites_asked_for(job):
    do(step, job, ["a", "b", "c"])
    counts = step.finish(job, noted("c", "a"))
    table = read_table(RunFolder(job.run).pixels, PIXELS)
    assert table.select("site_id", "channel").rows() == [
        ("a", "dna"),
        ("a", "er"),
        ("c", "dna"),
        ("c", "er"),
    ]
    assert counts == {"sites": 2, "channels_flagged": 0, "sites_flagged": 0}
    plane = spots(0).astype(np.float32) / np.float32(255)
    assert table["mean"][0] == pytest.approx(plane.mean(), rel=1e-5)
    assert table["maximum"][0] == pytest.approx(plane.max())


def test_no_sites_leave_an_empty_table(job):
    assert step.finish(job, {})["sites"] == 0
    assert read_table(RunFolder(job.run).pixels, PIXELS).is_empty()


def test_facts_of_an_earlier_run_are_kept_when_its_notes_are_gone(job):
    do(step, job, ["a", "b"])
    step.finish(job, noted("a", "b"))
    before = read_table(RunFolder(job.run).pixels, PIXELS)
    for shard in (RunFolder(job.run).temporary / job.name).iterdir():
        shard.unlink()
    assert step.present(job, noted("a", "b", "c")) == ["a", "b"]
    do(step, replace(job, key="other"), ["c"])
    step.finish(job, {**noted("a", "b"), "c": Finished("other")})
    after = read_table(RunFolder(job.run).pixels, PIXELS)
    assert after.filter(pl.col("site_id") != "c").equals(before)
    assert after.height == 6


def test_a_broken_file_sets_only_its_own_site_aside(job):
    image = job.images / "b_dna.png"
    image.write_bytes(image.read_bytes()[:200])
    records = {record.site_id: record for record in do(step, job, ["a", "b", "c"])}
    assert records["b"].error is not None
    assert records["b"].error.code == "truncated"
    assert records["a"].error is None
    assert records["c"].counts["cells"] == 9
    assert step.present(job, noted("a", "b", "c")) == ["a", "c"]


def test_the_same_work_again_gives_the_same_bytes(job):
    do(step, job, ["a", "b", "c"])
    step.finish(job, noted("a", "b", "c"))
    first = contents(job)
    mask = RunFolder(job.run).masks / "b_cells.tif"
    mask.write_bytes(b"half")
    do(step, job, ["c", "b"])
    do(step, job, ["a"])
    step.finish(job, noted("a", "b", "c"))
    assert contents(job) == first


def test_a_lost_mask_is_noticed(job):
    do(step, job, ["a", "b"])
    (RunFolder(job.run).masks / "a_nuclei.tif").unlink()
    assert step.present(job, noted("a", "b")) == ["b"]


@pytest.mark.parametrize(
    "name", ["a_cells.tif", "a.tif", "a.tiff", "a.png", "a_masks.tif", "a_cp_masks.tif",
             "a_cp_masks.png", "raw a.tif", "raw a_cells.tif", "a_nuclei.tif"]
)  # fmt: skip
def test_own_masks_are_found_under_the_usual_names(job, tmp_path, name):
    folder = tmp_path / "own"
    folder.mkdir()
    labels = np.zeros((120, 120), np.uint16)
    labels[10:20, 10:20] = 5
    labels[50:60, 50:60] = 700
    if name.endswith("png"):
        Image.fromarray(labels).save(folder / name)
    else:
        tifffile.imwrite(folder / name, labels)
    records = do(step, other(job, name="given", implausible="take", masks=str(folder)), ["a", "b"])
    assert records[0].counts == {"cells": 2, "nuclei": 2, "border": 0}
    assert np.array_equal(read_masks(RunFolder(job.run).masks, "a").cells, labels)
    assert records[1].error is not None
    assert records[1].error.code == "mask_missing"


def test_own_cells_and_nuclei_come_as_a_pair(job, tmp_path):
    cells = np.zeros((120, 120), np.uint32)
    cells[10:40, 10:40] = 70_000
    nuclei = np.zeros((120, 120), np.uint8)
    nuclei[20:30, 20:30] = 1
    tifffile.imwrite(tmp_path / "a_cells.tif", cells)
    tifffile.imwrite(tmp_path / "a_nuclei.tif", nuclei)
    (record,) = do(step, other(job, name="given", implausible="take", masks=str(tmp_path)), ["a"])
    assert record.counts["nuclei"] == 1
    masks = read_masks(RunFolder(job.run).masks, "a")
    assert np.array_equal(masks.nuclei, nuclei.astype(np.uint32) * 70_000)


def test_a_torn_own_mask_sets_its_site_aside(job, tmp_path):
    (tmp_path / "a_cells.tif").write_bytes(b"II*\0")
    (record,) = do(step, other(job, name="given", implausible="take", masks=str(tmp_path)), ["a"])
    assert record.error is not None


def test_a_raw_id_never_leads_out_of_the_folder(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    tifffile.imwrite(tmp_path / "secret.tif", np.ones((4, 4), np.uint8))
    sites = [Site("s", "../secret", ()), Site("t", str(tmp_path / "secret"), ())]
    load = GivenMasks(folder, sites)
    assert load("s") is None
    assert load("t") is None


@pytest.mark.parametrize(
    ("said", "allowed"),
    [(True, True), ("true", True), ("y", True), (1, True)]
    + [(word, False) for word in (False, 0, "n", "f", "false", "no", "off", "0")],
)
def test_leave_to_open_pickles_is_read_as_the_option_is(job, tmp_path, said, allowed):
    labels = np.zeros((120, 120), np.uint16)
    labels[5:9, 5:9] = 1
    np.save(tmp_path / "a_seg.npy", np.array({"masks": labels}, dtype=object))
    options = {"name": "given", "implausible": "take", "masks": str(tmp_path), "allow_pickle": said}
    (record,) = do(step, other(job, **options), ["a"])
    assert (record.error is None) == allowed
    assert allowed or record.error.code == "mask_pickle"


def test_a_name_that_a_field_of_another_batch_shares_is_refused(job, tmp_path):
    sites = [
        Site(name, raw, (ChannelFile(Channel("dna", "nucleus"), (f"{name}_dna.png",)),))
        for name, raw in (("a", "p1/A01_1"), ("b", "p2/A01_1"), ("c", "p2/A02_1"))
    ]
    write_table(RunFolder(job.run).sites, SITES, sites_to_frame(sites, {}))
    labels = np.zeros((120, 120), np.uint16)
    labels[5:9, 5:9] = 1
    for name in ("A01_1", "A02_1"):
        tifffile.imwrite(tmp_path / f"{name}.tif", labels)
    given = other(job, name="given", implausible="take", masks=str(tmp_path))
    records = [do(step, given, [site])[0] for site in "abc"]
    assert [record.error and record.error.code for record in records] == [
        *("mask_ambiguous", "mask_ambiguous", None)
    ]


def test_masks_go_with_given_only(job, tmp_path):
    with pytest.raises(BadOption, match="takes no masks"):
        do(step, other(job, masks=str(tmp_path)), ["a"])


def facts(plane):
    channels = (Channel("dna", "nucleus"),)
    (row,) = pixel_facts(Field("s", plane[None].astype(np.float32), channels))
    return row


def test_flags_say_what_is_wrong_with_a_channel():
    image = spots(0) / 255
    blown = np.minimum(image * 3, 1)
    noise = np.random.default_rng(0).normal(0.1, 0.02, (200, 200))
    assert facts(image)["flags"] == []
    assert facts(np.full((9, 9), 0.5))["flags"] == ["constant"]
    assert facts(blown)["flags"] == ["saturated"]
    assert facts(blown)["saturated"] == pytest.approx(np.mean(blown == 1))
    assert facts(np.round(blown * 4095) / 65535)["flags"] == ["saturated"]
    assert facts(noise)["flags"] == ["dark"]


def test_what_the_reader_changed_is_noted():
    plane = spots(0)[None].astype(np.float32) / 255
    field = Field("s", plane, (Channel("dna", "nucleus"),))
    (row,) = pixel_facts(field, {"dna": ["nan"]})
    assert row["flags"] == ["nan"]


def test_the_fingerprint_knows_pixels_and_shape():
    plane = spots(0) / 255
    assert facts(plane)["sha256"] == facts(plane.copy())["sha256"]
    assert facts(plane)["sha256"] != facts(plane.T)["sha256"]
    assert facts(np.zeros((2, 3)))["sha256"] != facts(np.zeros((3, 2)))["sha256"]


def test_focus_falls_with_blur_and_ignores_gain_and_offset():
    import cv2

    plane = (spots(0) / 255).astype(np.float32)
    sharp = facts(plane)["focus"]
    assert facts(cv2.GaussianBlur(plane, (0, 0), 3.0))["focus"] < 0.5 * sharp
    assert facts(plane * 0.3 + 0.2)["focus"] == pytest.approx(sharp, rel=1e-3)
    assert facts(np.zeros((5, 5)))["focus"] == 0


def test_what_was_odd_about_brought_masks_is_kept_in_a_table(job, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    squares = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_square(place)]},
            "properties": {"objectType": "cell"},
        }
        for place in (10, 20)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": squares})
    (folder / "a.geojson").write_text(text)
    (folder / "b.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": squares[:1]})
    )
    records = do(step, other(job, name="given", implausible="take", masks=str(folder)), ["a", "b"])
    step.finish(job, {record.site_id: Finished("k", record.counts) for record in records})
    assert read_notes(RunFolder(job.run)) == {
        "a": {"overlapped_pixels": 100, "outlines_lost": 0, "outlines_skipped": 0}
    }


def _square(corner):
    ends = (corner, corner + 20)
    return [[ends[x], ends[y]] for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
