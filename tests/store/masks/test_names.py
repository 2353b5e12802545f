"""Names that two fields of a run share, and the masks that are not taken by them."""

import json

import numpy as np
import pytest
import tifffile

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import SITES
from cellwise.errors import InputError
from cellwise.store.masks.imported import GivenMasks
from cellwise.store.masks.names import names_in_table, names_of_sites
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

ONE, TWO = np.full((4, 5), 1, np.uint16), np.full((4, 5), 2, np.uint16)


def site(name, *files, raw=None):
    return Site(name, raw or name, (ChannelFile(Channel("dna"), files),))


def same(found, labels):
    return np.array_equal(found, labels)


def put(folder, name, labels=ONE):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, labels) if path.suffix == ".npz" else tifffile.imwrite(path, labels)


def coco(folder, files):
    folder.mkdir(exist_ok=True)
    content = {
        "images": [{"id": n, "file_name": file} for n, file in enumerate(files)],
        "annotations": [
            {"image_id": n, "segmentation": [[0, 0, 3, 0, 3, 3]]} for n in range(len(files))
        ],
    }
    (folder / "coco.json").write_text(json.dumps(content))


TWINS = (
    site("p1_A01_1", "p1/A01_1_DAPI.tif", raw="p1/A01_1"),
    site("p2_A01_1", "p2/A01_1_DAPI.tif", raw="p2/A01_1"),
    site("p2_B02_1", "p2/B02_1_DAPI.tif", raw="p2/B02_1"),
)


def code_of(load, site_id):
    with pytest.raises(InputError) as caught:
        load(site_id)
    assert caught.value.path == site_id
    return caught.value.code


@pytest.mark.parametrize("batch", [TWINS, TWINS[:1]], ids=["all", "one"])
@pytest.mark.parametrize(
    "name", ["A01_1.tif", "A01_1_cells.npz", "A01_1_DAPI_cp_masks.tif", "cells/A01_1.tif", "COCO"]
)
def test_a_name_that_two_fields_share_is_the_mask_of_neither(tmp_path, batch, name):
    folder, table = tmp_path / "masks", tmp_path / "sites.parquet"
    write_table(table, SITES, sites_to_frame(TWINS, {}))
    coco(folder, files=("A01_1_DAPI.tif",)) if name == "COCO" else put(folder, name)
    load = GivenMasks(folder, batch, table=table)
    assert load.matches_any()
    assert {code_of(load, one.id) for one in batch if "A01" in one.id} == {"mask_ambiguous"}
    put(folder, "p1_A01_1.tif", TWO)
    assert same(GivenMasks(folder, batch, table=table)("p1_A01_1").cells, TWO)


@pytest.mark.parametrize(
    "name", ["p1/A01_1.tif", "p1/A01_1_DAPI_masks.tif", "p1_A01_1_cells.tif", "cells/p1/A01_1.tif"]
)
def test_with_its_folder_a_shared_name_is_one_fields(tmp_path, name):
    put(tmp_path, name)
    load = GivenMasks(tmp_path, TWINS)
    assert same(load("p1_A01_1").cells, ONE)
    assert load("p2_A01_1") is None


def test_coco_images_with_folders_and_names_of_one_field_only_are_found(tmp_path):
    coco(tmp_path, files=("p1/A01_1_DAPI.tif", "B02_1_DAPI.tif"))
    load = GivenMasks(tmp_path, TWINS)
    assert len(load("p1_A01_1").cells.objects) == 1
    assert len(load("p2_B02_1").cells.objects) == 1
    assert load("p2_A01_1") is None


def test_a_whole_name_goes_before_the_last_part_of_another(tmp_path):
    put(tmp_path, "A01_1.tif")
    load = GivenMasks(tmp_path, [site("A01_1"), *TWINS])
    assert same(load("A01_1").cells, ONE)
    assert code_of(load, "p1_A01_1") == "mask_ambiguous"


def test_names_of_a_table_are_those_of_its_sites_and_follow_it(tmp_path):
    path = tmp_path / "sites.parquet"
    for sites in (TWINS, TWINS[1:]):
        write_table(path, SITES, sites_to_frame(sites, {}))
        assert names_in_table(path) == names_of_sites(sites)
    assert names_of_sites(TWINS).shared == dict.fromkeys(
        ["A01_1", "A01_1_DAPI", "A01_1_DAPI.tif"], None
    )
    assert names_of_sites(TWINS[1:]).shared == {}


def test_an_image_of_another_batch_is_not_taken_for_a_mask(tmp_path):
    put(tmp_path, "A01_1.tif", TWO)
    table = tmp_path / "sites.parquet"
    sites = [site("x", "A01_1.tif"), TWINS[0]]
    write_table(table, SITES, sites_to_frame(sites, {}))
    assert GivenMasks(tmp_path, [TWINS[0]], table=table, images=tmp_path)("p1_A01_1") is None


@pytest.mark.parametrize("second", ["A01_cp_masks.tif", "A01_masks.png", "cells/A01.tif"])
def test_two_files_that_both_say_cells_are_refused(tmp_path, second):
    put(tmp_path, "A01_cells.tif")
    put(tmp_path, "A01.tif", TWO)
    load = GivenMasks(tmp_path, [site("A01", "A01_dna.tif")])
    assert same(load("A01").cells, ONE)
    put(tmp_path, second, TWO)
    with pytest.raises(InputError, match=r"A01_cells\.tif and ") as caught:
        GivenMasks(tmp_path, [site("A01", "A01_dna.tif")])("A01")
    assert caught.value.code == "mask_ambiguous"


def test_fields_without_any_file_are_missing(tmp_path):
    put(tmp_path, "A01_cells.tif")
    coco(tmp_path, ["A02_dna.tif"])
    sites = [site(name, f"{name}_dna.tif") for name in ("A01", "A02", "A03")]
    load = GivenMasks(tmp_path, sites)
    assert (load.missing(), load.matches_any()) == (["A03"], True)
