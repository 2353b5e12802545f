"""The step: rows and crops on disk, the same whatever the batches, kills and repeats."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.stages.site_steps import do, finished, merged

from cellwise.domain.channels import Channel
from cellwise.domain.crop_plan import CropPlan
from cellwise.domain.records import ChannelFile, Masks
from cellwise.domain.tables import CELLS
from cellwise.errors import BadOption, FormatError
from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.crop import crop_cells
from cellwise.stages.cells import step
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import CropStore, read_channels
from cellwise.store.run.masks import mask_path, read_masks, write_masks
from cellwise.store.run.sites import run_channels
from cellwise.store.run.tables import read_table, write_table


def run_step(world, batches, **options):
    shards = {}
    for number, batch in enumerate(batches):
        key = f"key{number}-of-{len(batches)}".replace("-", "")
        shards |= finished(do(step, world.job(key, **options), batch), key)
    counts = step.finish(world.job(**options), shards)
    step.settle(world.job(**options), set())
    return counts, merged(shards)


def everything(world):
    """Bytes of the table and of all crops."""
    crops = {p.name: p.read_bytes() for p in world.run.crops.iterdir()}
    return world.run.cells.read_bytes(), crops


def test_every_cell_has_a_row_and_a_crop(world):
    counts, _ = run_step(world, [world.ids], size=16)
    cells = read_table(world.run.cells, CELLS)
    assert counts["cells"] == cells.height == 21
    assert counts["sites_without_cells"] == 1
    assert cells["site_id"].unique().sort().to_list() == ["s0", "s2", "s3", "s4"]
    store = CropStore(world.run.crops, cells)
    assert store.read(np.arange(21)).shape == (21, 2, 16, 16)


def test_rows_and_crops_are_those_of_the_kernels(world):
    run_step(world, [world.ids], size=16)
    cells = read_table(world.run.cells, CELLS)
    site = world.sites[3]
    field, masks = read_field(site, world.images), read_masks(world.run.masks, site.id)
    boxes = find_boxes(masks.cells)
    expected = crop_cells(field.pixels, masks.cells, boxes=boxes, plan=CropPlan(16)).pixels
    rows = cells.with_row_index("at").filter(pl.col("site_id") == site.id)
    found = CropStore(world.run.crops, cells).read(rows["at"].to_numpy())
    np.testing.assert_array_equal(found, expected.astype(np.float16).astype(np.float32))
    assert rows["cell_id"].to_list() == boxes.ids.tolist()
    assert rows["y0"].to_list() == boxes.y0.tolist()
    assert rows["x"].to_numpy() == pytest.approx(boxes.x)


def test_crops_know_their_channels(world):
    run_step(world, [world.ids])
    assert read_channels(world.run.crops) == (Channel("dna", "nucleus"), Channel("gfp", "protein"))


def test_batches_do_not_show_in_the_results(world, tmp_path):
    run_step(world, [world.ids], size=8)
    first = everything(world)
    run_step(world, [["s3", "s0"], ["s4"], ["s1", "s2"]], size=8)
    assert everything(world) == first


def test_a_repeat_changes_nothing_and_leaves_nothing_behind(world):
    run_step(world, [world.ids])
    first = everything(world)
    run_step(world, [world.ids[:2], world.ids[2:]])
    assert everything(world) == first
    assert not list((world.run.temporary / "cells").iterdir())


def test_a_site_made_twice_counts_once(world):
    """A worker that died after writing its batch: its sites are done again one by one."""
    records = do(step, world.job("key"), world.ids)
    for site_id in world.ids:
        do(step, world.job("key"), [site_id])
    step.finish(world.job(), finished(records, "key"))
    assert read_table(world.run.cells, CELLS).height == 21


def test_results_of_other_settings_are_not_mixed_in(world):
    """Work under other settings that was killed before it was recorded."""
    _, shards = run_step(world, [world.ids], size=8)
    first = everything(world)
    do(step, world.job("other", size=8, policy="keep"), world.ids)
    step.finish(world.job(size=8), shards)
    assert everything(world) == first


def test_stale_crops_and_rows_go(world):
    run_step(world, [world.ids], size=8)
    (world.run.crops / "old.npy").write_bytes(b"")
    (world.run.crops / ".killed.partial.npy").write_bytes(b"")
    run_step(world, [world.ids[:3]], size=8)
    names = {p.name.partition("-")[0] for p in world.run.crops.iterdir()}
    assert names == {"s0", "s2", "channels.json"}
    assert read_table(world.run.cells, CELLS)["site_id"].unique().sort().to_list() == ["s0", "s2"]


def test_sites_whose_crops_or_rows_are_lost_are_named(world):
    _, shards = run_step(world, [world.ids[:3], world.ids[3:]])
    job = world.job()
    assert step.present(job, shards) == world.ids
    next(world.run.crops.glob("s2-*.npy")).unlink()
    assert step.present(job, shards) == ["s0", "s1", "s3", "s4"]
    cells = read_table(world.run.cells, CELLS)
    write_table(world.run.cells, CELLS, cells.filter(pl.col("site_id") != "s4"))
    assert step.present(job, shards) == ["s0", "s1", "s3"]
    with pytest.raises(FormatError, match="gone"):
        step.finish(job, shards)


def test_without_crops_there_is_only_the_table(world):
    run_step(world, [world.ids])
    run_step(world, [world.ids], crops=False)
    cells = read_table(world.run.cells, CELLS)
    assert cells.height == 21
    assert "shard" not in cells.columns
    assert not list(world.run.crops.glob("*.npy"))
    with pytest.raises(FormatError, match="where crops lie"):
        CropStore(world.run.crops, cells)


def test_no_cells_at_all_still_give_a_table(world):
    counts, _ = run_step(world, [["s1"]])
    cells = read_table(world.run.cells, CELLS)
    assert (counts["cells"], cells.height) == (0, 0)
    assert "Cells_NuclearRingRatio_gfp" in cells.columns
    assert len(CropStore(world.run.crops, cells)) == 0


def test_a_site_without_a_channel_is_set_aside(world):
    world.sites[2] = replace(world.sites[2], files=world.sites[2].files[:1])
    world.write_sites()
    records = {r.site_id: r for r in do(step, world.job(), world.ids)}
    assert records["s2"].error.code == "channel_missing"
    assert "gfp" in records["s2"].error.reason
    assert [r.site_id for r in records.values() if r.error is None] == ["s0", "s1", "s3", "s4"]


def test_channels_are_found_by_role_not_by_place(world):
    run_step(world, [world.ids], size=8)
    first = everything(world)
    world.sites[2] = replace(world.sites[2], files=world.sites[2].files[::-1])
    run_step(world, [world.ids], size=8)
    assert everything(world) == first


def test_a_broken_file_sets_one_site_aside(world):
    path = world.images / "s3_gfp.png"
    path.write_bytes(path.read_bytes()[:200])
    records = {r.site_id: r.error for r in do(step, world.job(), world.ids)}
    assert [site for site, error in records.items() if error is not None] == ["s3"]


@pytest.mark.parametrize("how", ["missing", "torn"])
def test_unreadable_masks_set_one_site_aside(world, how):
    path = mask_path(world.run.masks, "s0", "nuclei")
    path.unlink() if how == "missing" else path.write_bytes(path.read_bytes()[:100])
    records = {r.site_id: r.error for r in do(step, world.job(), world.ids)}
    assert records["s0"].code == "mask_unreadable"
    assert records["s2"] is None


def test_masks_of_another_size_set_one_site_aside(world):
    small = np.zeros((5, 5), np.uint16)
    write_masks(world.run.masks, "s0", Masks(small, small))
    records = {r.site_id: r.error for r in do(step, world.job(), world.ids)}
    assert records["s0"].code == "size_mismatch"


def test_cell_numbers_beyond_what_a_table_holds_set_one_site_aside(world):
    masks = read_masks(world.run.masks, "s0")
    cells = masks.cells.astype(np.uint32)
    cells[cells == cells.max()] = 2**31
    write_masks(world.run.masks, "s0", Masks(cells, masks.nuclei))
    records = {r.site_id: r.error for r in do(step, world.job(), world.ids)}
    assert records["s0"].code == "mask_ids"
    assert [site for site, error in records.items() if error is not None] == ["s0"]


def test_sites_that_reading_refused_do_not_decide_the_channels(world):
    world.sites = [
        replace(s, files=(*s.files, ChannelFile(Channel("er", "er"), ("no.png",))))
        if s.id in ("s0", "s1", "s2")
        else s
        for s in world.sites
    ]
    world.write_sites(status=dict.fromkeys(("s0", "s1", "s2"), "refused"))
    assert [c.name for c in run_channels(world.run)] == ["dna", "gfp"]


@pytest.mark.parametrize("options", [{"size": 0}, {"policy": "none"}, {"policy": "recentre"}])
def test_wrong_settings_stop_the_step(world, options):
    with pytest.raises(BadOption):
        do(step, world.job(**options), world.ids)


@pytest.mark.slow
def test_killed_at_any_moment_the_same_files_come_out(world):
    """`kill -9` while crops are being written, several times, then once to the end."""
    run_step(world, [world.ids], size=32)
    first = everything(world)
    for path in [*world.run.crops.iterdir(), world.run.cells]:
        path.unlink()
    source = Path(step.__file__).parents[3]
    for crops in (1, 2, 4):
        script = f"""
            import os, signal
            from pathlib import Path
            from cellwise.domain.steps import Job
            from cellwise.store import atomic
            from cellwise.store.run import crops
            import cellwise.stages.cells.step as step
            plain, seen = os.fsync, []
            def fsync(handle):
                seen.append(handle)
                if len(seen) > {crops}:
                    os.kill(os.getpid(), signal.SIGKILL)
                plain(handle)
            os.fsync = fsync
            job = Job(Path({str(world.run.path)!r}), Path({str(world.images)!r}), "cells",
                      {{"size": 32}}, "key0of1", 0)
            from cellwise.store.run.sites import read_sites
            step.work(read_sites(job.run / "sites.parquet", only={world.ids!r}), job)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            env={**os.environ, "PYTHONPATH": str(source)},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
    assert list(world.run.crops.glob(".*"))
    run_step(world, [world.ids], size=32)
    assert everything(world) == first
