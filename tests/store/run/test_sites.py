import json

import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import find_images, read_sites, sites_to_frame
from cellwise.store.run.tables import write_table

DNA = ChannelFile(Channel("dna", "nucleus"), ("a_dna.png",))
GFP = ChannelFile(Channel("gfp", "protein"), ("z1.tif", "z2.tif"), plane=3, colour=True)
SITES_IN = [
    Site("a", "A", (DNA, GFP), "train", ("x", "y"), {"Well": "A01"}, 0.3),
    Site("b", "B", (DNA, GFP), metadata={"Plate": "1"}),
]


def test_sites_come_back_as_they_went(tmp_path):
    write_table(tmp_path / "s.parquet", SITES, sites_to_frame(SITES_IN, {}))
    assert read_sites(tmp_path / "s.parquet") == SITES_IN
    assert read_sites(tmp_path / "s.parquet", only=["b"]) == SITES_IN[1:]


def test_no_sites_are_an_ordinary_case(tmp_path):
    write_table(tmp_path / "s.parquet", SITES, sites_to_frame([], {}))
    assert read_sites(tmp_path / "s.parquet") == []


@pytest.fixture
def moved(tmp_path):
    """A run that says where its images were, and nothing there."""
    run = RunFolder(tmp_path / "new" / "a.run")
    write_table(run.sites, SITES, sites_to_frame(SITES_IN, {}))
    run.record.write_text(json.dumps({"inputs": {"folder": str(tmp_path / "old" / "plate")}}))
    return run


def put(folder):
    folder.mkdir(parents=True)
    (folder / "a_dna.png").write_bytes(b"")
    return folder


def test_images_are_found_where_they_were(moved, tmp_path):
    old = put(tmp_path / "old" / "plate")
    put(tmp_path / "new" / "plate")
    assert find_images(moved) == old


@pytest.mark.parametrize("place", ["new/plate", "new/a.run/plate"])
def test_images_are_found_beside_the_run_or_in_it(moved, tmp_path, place):
    (tmp_path / "old" / "plate").mkdir(parents=True)
    images = put(tmp_path / place)
    assert find_images(moved) == images


def test_a_folder_of_the_same_name_with_other_images_is_not_taken(moved, tmp_path):
    (tmp_path / "new" / "plate").mkdir()
    assert find_images(moved) == tmp_path / "old" / "plate"


def test_a_path_of_another_system_gives_its_last_name(moved, tmp_path):
    moved.record.write_text(json.dumps({"inputs": {"folder": "D:\\data\\plate\\"}}))
    images = put(tmp_path / "new" / "plate")
    assert find_images(moved) == images


def test_a_path_from_another_working_folder_is_read_as_it_was(moved, tmp_path):
    old = put(tmp_path / "old" / "plate")
    moved.record.write_text(json.dumps({"inputs": {"folder": "plate"}}))
    moved.reading.write_text(json.dumps({"images": str(old)}))
    assert find_images(moved) == old
