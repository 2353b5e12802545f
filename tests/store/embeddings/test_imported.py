"""Whose a stranger's vectors are: names as masks have them, and other cells refused by name."""

import hashlib

import numpy as np
import polars as pl
import pytest
from tests.store.embeddings.brought_files import KEYS, parquet, vectors

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.store.embeddings.columns import Named
from cellwise.store.embeddings.files import open_file
from cellwise.store.embeddings.imported import check_cells, check_numbers, match_sites
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_key, write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

AREAS = {("A01", 1): 40, ("A01", 2): 50, ("A02", 1): 60, ("A02", 3): 70, ("A03", 1): 80}


def site(name, raw=None, path=None):
    files = (ChannelFile(Channel("dna"), (path or f"plate/{name}_dna.tif",)),)
    return Site(name, raw or f"plate/{name}", files)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    write_table(folder.sites, SITES, sites_to_frame([site("A01"), site("A02"), site("A03")], {}))
    for number, name in enumerate(("A01", "A02", "A03")):
        labels = np.full((4, 5), number, np.uint16)
        write_masks(folder.masks, name, Masks(labels, labels))
    return folder


@pytest.fixture
def cells():
    rows = [(*key, area) for key, area in AREAS.items()]
    return pl.DataFrame(
        rows,
        schema={"site_id": pl.String, "cell_id": pl.Int32, "area": pl.Int32},
        orient="row",
    )


def opened(tmp_path, keys=KEYS, numbers=None, **beside):
    return open_file(parquet(tmp_path / "e.parquet", keys, numbers, **beside), Named())


WRITTEN = ("A01", "a01", "plate/A01", "PLATE/a01", "A01_dna", "plate/A01_dna.tif", "A01_dna.tif")


@pytest.mark.parametrize("written", WRITTEN)
def test_a_field_is_found_by_its_names_in_any_case(tmp_path, run, written):
    found = match_sites(opened(tmp_path, [(written, 2), ("A02", 1)]), run.sites)
    assert found.strangers == ()
    numbers, rows = found.of("A01")
    assert (numbers.to_list(), rows.tolist()) == ([2], [0])


def test_names_that_fit_no_field_are_counted_and_the_rest_is_taken(tmp_path, run, cells):
    brought = opened(tmp_path, [("A02", 3), ("B07", 1), ("A02", 1), ("B01", 1)])
    found = match_sites(brought, run.sites)
    assert found.strangers == ("B01", "B07")
    numbers, rows = found.of("A02")
    assert (numbers.to_list(), rows.tolist()) == ([1, 3], [2, 0])
    assert found.of("A03")[0].is_empty()
    check_cells(brought, found, run, cells)
    check_numbers(brought, found)


def test_a_file_of_another_run_is_refused(tmp_path, run):
    with pytest.raises(
        PreflightError, match=r"No name in .* there is X1, X2, and the fields are A01"
    ):
        match_sites(opened(tmp_path, [("X1", 1), ("X2", 1)]), run.sites)


def test_a_name_of_two_fields_says_nothing(tmp_path):
    table = tmp_path / "sites.parquet"
    two = [site("p1_A", "p1/A", "p1/A_dna.tif"), site("p2_A", "p2/A", "p2/A_dna.tif")]
    write_table(table, SITES, sites_to_frame(two, {}))
    for word in ("A", "a", "A_dna"):
        with pytest.raises(PreflightError, match="fits two fields"):
            match_sites(opened(tmp_path, [(word, 1), ("p1/A", 1)]), table)
    found = match_sites(opened(tmp_path, [("P2/A", 1), ("p1_a", 1)]), table)
    assert found.rows.select("site_id", "row").rows() == [("p1_A", 1), ("p2_A", 0)]


def test_two_names_of_one_field_may_not_give_one_cell(tmp_path, run):
    with pytest.raises(PreflightError, match="'A01' and 'a01' are the same field"):
        match_sites(opened(tmp_path, [("A01", 1), ("a01", 1)]), run.sites)


def test_a_cell_that_is_not_there_is_refused_by_name(tmp_path, run, cells):
    brought = opened(tmp_path, [("A01", 1), ("A02", 2)])
    with pytest.raises(PreflightError, match=r"other cells: in A02 cell 2 is not there.*again"):
        check_cells(brought, match_sites(brought, run.sites), run, cells)


def test_another_area_or_count_tells_that_the_run_was_segmented_anew(tmp_path, run, cells):
    good = [AREAS[key] for key in KEYS]
    brought = opened(tmp_path, area=good, n_cells=[2, 2, 2, 2])
    check_cells(brought, match_sites(brought, run.sites), run, cells)
    brought = opened(tmp_path, area=[*good[:3], 71])
    with pytest.raises(PreflightError, match="in A02 cell 3 has 70 pixels, not 71"):
        check_cells(brought, match_sites(brought, run.sites), run, cells)
    brought = opened(tmp_path, n_cells=[2, 2, 3, 3])
    with pytest.raises(PreflightError, match="in A02 it has 2 cells, not 3"):
        check_cells(brought, match_sites(brought, run.sites), run, cells)


def test_masks_of_another_segmentation_are_told_by_their_key(tmp_path, run, cells):
    labels = np.zeros((4, 5), "<u4")
    key = hashlib.sha256(labels.tobytes()).hexdigest()[:16]
    assert mask_key(run.masks, "A01") == key
    keys = [key, key, *[mask_key(run.masks, "A02")] * 2]
    brought = opened(tmp_path, mask_key=keys)
    check_cells(brought, match_sites(brought, run.sites), run, cells)
    write_masks(run.masks, "A02", Masks(labels.astype(np.uint16) + 9, labels.astype(np.uint16)))
    with pytest.raises(PreflightError, match="in A02 its masks are others"):
        check_cells(brought, match_sites(brought, run.sites), run, cells)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_number_is_refused_with_its_cell(tmp_path, run, value, monkeypatch):
    monkeypatch.setattr("cellwise.store.embeddings.imported._AT_ONCE", 40)
    numbers = vectors()
    numbers[2, 3] = value
    brought = opened(tmp_path, numbers=numbers)
    with pytest.raises(PreflightError, match="cell 1 of A02 holds NaN or an infinity"):
        check_numbers(brought, match_sites(brought, run.sites))
