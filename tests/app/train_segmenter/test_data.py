"""Folders of images with masks: what is understood, what is refused, what stays together."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.masked_images import discs, lit, write_pairs

from cellwise.app.train_segmenter.data import prepare, read_annotated
from cellwise.errors import PreflightError


def test_pairs_of_images_and_labels(tmp_path):
    found = read_annotated([write_pairs(tmp_path)])
    assert [one.name for one in found] == ["p0", "p1"]
    np.testing.assert_array_equal(found[1].nuclei, discs(1))
    assert found[0].cells is None
    image = prepare(found[0])
    assert image.diameter == pytest.approx(18, rel=0.15)
    assert 0.7 < np.median(image.nucleus[image.nuclei > 0]) < 1.3


def test_an_image_without_a_mask_is_left_out(tmp_path):
    write_pairs(tmp_path, seeds=(0, 1, 2))
    (tmp_path / "labels" / "p1.png").unlink()
    assert [one.name for one in read_annotated([tmp_path])] == ["p0", "p2"]


def test_numbers_may_have_gaps(tmp_path):
    write_pairs(tmp_path)
    gaps = discs(0).astype(np.int32) * 70_000
    (tmp_path / "labels" / "p0.png").unlink()
    tifffile.imwrite(tmp_path / "labels" / "p0.tif", gaps)
    np.testing.assert_array_equal(read_annotated([tmp_path])[0].nuclei, discs(0))


def test_an_image_twice_is_one_group(tmp_path):
    write_pairs(tmp_path / "a", seeds=(0, 1))
    write_pairs(tmp_path / "b", seeds=(0, 2))
    groups = [one.group for one in read_annotated([tmp_path / "a", tmp_path / "b"])]
    assert groups[0] == groups[2]
    assert len(set(groups)) == 3


def test_a_table_of_wells_makes_groups(tmp_path):
    write_pairs(tmp_path, seeds=(0, 1, 2))
    (tmp_path / "fields.csv").write_text("image,well\np0,A01\np1,B02\np2,A01\n")
    groups = [one.group for one in read_annotated([tmp_path])]
    assert groups[0] == groups[2] != groups[1]


def test_a_table_may_come_from_a_spreadsheet_and_hold_file_names(tmp_path):
    write_pairs(tmp_path, seeds=(0, 1, 2))
    table = "image,well\np0.tif,A01\np1.tif,B02\np2.tif,A01\n"
    (tmp_path / "fields.csv").write_text(table, encoding="utf-8-sig")
    groups = [one.group for one in read_annotated([tmp_path])]
    assert groups[0] == groups[2] != groups[1]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"image,well\nother,A01\n", "names none of the images"),
        (b"image,well\np0,M\xfcnchen\n", "no table in UTF-8"),
    ],
)
def test_a_table_that_groups_nothing_is_refused(tmp_path, table, said):
    write_pairs(tmp_path)
    (tmp_path / "fields.csv").write_bytes(table)
    with pytest.raises(PreflightError, match=said):
        read_annotated([tmp_path])


def test_a_foreground_is_no_label_image(tmp_path):
    write_pairs(tmp_path)
    for white in (1, 255):
        mask = np.where(discs(0) > 0, white, 0).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "labels" / "p0.png")
        with pytest.raises(PreflightError, match="foreground"):
            read_annotated([tmp_path])


def test_two_masks_of_one_image_are_refused(tmp_path):
    write_pairs(tmp_path)
    tifffile.imwrite(tmp_path / "labels" / "p0.tif", discs(1))
    with pytest.raises(PreflightError, match="two masks of one image"):
        read_annotated([tmp_path])


def test_endings_may_be_written_large(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "labels" / "p0.png").rename(tmp_path / "labels" / "p0.PNG")
    np.testing.assert_array_equal(read_annotated([tmp_path])[0].nuclei, discs(0))


def test_a_world_brings_cells_nuclei_and_groups(tmp_path):
    from cellwise.lab.simulate import simulate_world
    from cellwise.lab.simulate.request import SimulateRequest

    world = tmp_path / "world"
    simulate_world(
        SimulateRequest(world, "hpa", size=128, sites=2, seed=3), lambda done, total, note: None
    )
    for folder in (world, world / "truth"):
        found = read_annotated([folder])
        assert len(found) == 2
        assert all(one.cells.max() >= one.nuclei.max() > 0 for one in found)
        image = prepare(found[0])
        assert image.body is not None
        assert image.cells.shape == image.nuclei.shape == image.body.shape


def test_a_run_folder_brings_its_masks(tmp_path):
    from cellwise.domain.channels import Channel
    from cellwise.domain.records import ChannelFile, Masks, Site
    from cellwise.domain.tables import SITES
    from cellwise.store.run.masks import write_masks
    from cellwise.store.run.sites import sites_to_frame
    from cellwise.store.run.tables import write_table

    images, run = tmp_path / "images", tmp_path / "out.run"
    images.mkdir()
    run.mkdir()
    sites = []
    for seed in (0, 1):
        labels = discs(seed)
        tifffile.imwrite(images / f"s{seed}.tif", lit(labels))
        sites.append(
            Site(
                f"s{seed}", f"s{seed}", (ChannelFile(Channel("dna", "nucleus"), (f"s{seed}.tif",)),)
            )
        )
        write_masks(run / "masks", f"s{seed}", Masks(labels, labels))
    header = {"size": 1, "mtime_ns": 1, "height": 96, "width": 96, "dtype": "uint8"}
    headers = {(site.id, "dna"): header for site in sites}
    write_table(run / "sites.parquet", SITES, sites_to_frame(sites, headers))
    (run / "run.json").write_text(json.dumps({"inputs": {"folder": str(images)}}))
    found = read_annotated([run])
    assert [one.name for one in found] == ["s0", "s1"]
    np.testing.assert_array_equal(found[0].nuclei, discs(0))


def spoil_nothing(folder):
    for path in (folder / "labels").iterdir():
        path.unlink()
    (folder / "labels").rmdir()


def spoil_names(folder):
    for path in sorted((folder / "labels").iterdir()):
        path.rename(path.with_name(f"other_{path.name}"))


def spoil_size(folder):
    Image.fromarray(discs(0, side=90)).save(folder / "labels" / "p0.png")


def spoil_sign(folder):
    (folder / "labels" / "p0.png").unlink()
    tifffile.imwrite(folder / "labels" / "p0.tif", discs(0).astype(np.int32) - 1)


def spoil_kind(folder):
    (folder / "labels" / "p0.png").unlink()
    tifffile.imwrite(folder / "labels" / "p0.tif", discs(0) * np.float32(0.5))


def spoil_bytes(folder):
    (folder / "labels" / "p0.png").write_bytes(b"no image")


def spoil_image(folder):
    path = folder / "images" / "p0.tif"
    path.write_bytes(path.read_bytes()[:300])


def spoil_count(folder):
    (folder / "images" / "p1.tif").unlink()


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (spoil_nothing, "no masks"),
        (spoil_names, "has the name"),
        (spoil_size, "90 x 90"),
        (spoil_sign, "below 0"),
        (spoil_kind, "label"),
        (spoil_bytes, "cannot be read"),
        (spoil_image, "p0"),
        (spoil_count, "two images"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_its_name(tmp_path, spoil, word):
    write_pairs(tmp_path)
    spoil(tmp_path)
    with pytest.raises(PreflightError, match=word):
        read_annotated([tmp_path])


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(PreflightError, match="no folder"):
        read_annotated([tmp_path / "nowhere"])


def test_a_dark_or_unmarked_image_is_passed_over(tmp_path):
    write_pairs(tmp_path, seeds=(0, 1))
    tifffile.imwrite(tmp_path / "images" / "p0.tif", np.zeros((96, 96), np.uint8))
    Image.fromarray(np.zeros((96, 96), np.uint16)).save(tmp_path / "labels" / "p1.png")
    assert [prepare(one) for one in read_annotated([tmp_path])] == [None, None]
