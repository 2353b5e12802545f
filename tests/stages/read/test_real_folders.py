"""Every shared image set is understood, or refused with a reason that a person can act on."""

import pytest
from tests.stages.read.read_folders import by_id, channels, codes, read

from cellwise.errors import PreflightError
from cellwise.store.images.fields import read_field


def test_bbbc013_is_a_plate_of_two_stains(shared_data):
    folder = shared_data / "bbbc013_translocation"
    reading = read(folder)
    assert reading.layout == "well_channel"
    assert channels(reading) == {"dna": "nucleus", "gfp": "protein"}
    assert len(reading.usable) == 48
    assert codes(reading) == []
    assert {site.metadata["Well"][0] for site in reading.sites} == set("ABEF")
    labels = str(folder / "wells.csv")
    with pytest.raises(PreflightError, match="open which column holds the labels"):
        read(folder, labels=labels)
    labelled = by_id(read(folder, labels=labels, label="control"))
    assert labelled["A01"].labels == ("negative",)
    assert labelled["A12"].labels == labelled["E01"].labels == ("positive",)
    assert labelled["A05"].labels is None
    assert labelled["A05"].metadata["dose_index"] == "3"


def test_rxrx1_holds_exactly_one_incomplete_site(shared_data):
    reading = read(shared_data / "rxrx1_sites")
    assert reading.layout == "rxrx1"
    assert list(channels(reading)) == ["w1", "w2", "w3", "w4", "w5", "w6"]
    aside = {i: status for i, status in reading.status.items() if status != "ok"}
    assert aside == {"U2OS-01_1_B02_2": "channel_missing"}
    problem, unread = sorted(reading.problems, key=lambda found: not found.set_aside)
    assert (problem.set_aside, unread.set_aside) == (True, False)
    assert "w5, w6" in problem.reason
    assert len(reading.usable) == 12


def test_the_paediatric_field_has_harmony_names(shared_data):
    reading = read(shared_data / "paediatric_cellpainting_6ch")
    assert reading.layout == "phenix"
    (site,) = reading.usable
    assert (site.id, len(site.files)) == ("C03_3", 6)
    assert read_field(site, shared_data / "paediatric_cellpainting_6ch").pixels.shape[0] == 6


def test_public_hpa_fields_differ_in_size_and_carry_labels(shared_data):
    folder = shared_data / "hpa_public_fields"
    reading = read(folder)
    assert reading.layout == "hpa_public"
    sizes = {i: (h["height"], h["width"]) for (i, _), h in reading.headers.items()}
    assert sizes == {"800_A6_1": (2048, 2048), "89_B5_1": (1728, 1728)}
    assert {i: s.labels for i, s in by_id(reading).items()} == {
        "800_A6_1": ("Cytosol",),
        "89_B5_1": ("Endoplasmic reticulum",),
    }
    assert reading.class_list == "hpa19"


def test_nf1_has_three_stains_and_its_masks_are_passed_over(shared_data):
    folder = shared_data / "nf1_cellpainting"
    reading = read(folder)
    assert reading.layout == "well_channel"
    assert list(channels(reading)) == ["DAPI", "GFP", "RFP"]
    assert reading.counts["ignored_files"] == {"masks/": 9}
    labelled = read(folder, labels=str(folder / "fields.csv"), label="genotype")
    assert {i: s.labels for i, s in by_id(labelled).items()} == {
        "B07_3": ("Null",),
        "D06_2": ("WT",),
        "D07_1": ("Null",),
    }


@pytest.mark.parametrize(("name", "count"), [("bbbc039_nuclei", 14), ("dsb2018_fluorescence", 30)])
def test_sets_of_nuclei_have_one_channel(shared_data, name, count):
    reading = read(shared_data / name)
    assert len(reading.channels) == 1
    assert len(reading.usable) == count
    assert reading.counts["ignored_files"] == {"labels/": count}


@pytest.mark.parametrize("name", ["bbbc021_cells", "mitocheck_cells", "hpa_cell_crops_rgb"])
def test_single_cells_are_refused(shared_data, name):
    with pytest.raises(PreflightError, match="images of single cells") as caught:
        read(shared_data / name)
    assert caught.value.exit_code == 4
    assert "whole fields" in str(caught.value)


def test_every_shared_folder_is_covered_here(shared_data):
    assert {folder.name for folder in shared_data.iterdir() if folder.is_dir()} <= {
        "bbbc013_translocation",
        "rxrx1_sites",
        "paediatric_cellpainting_6ch",
        "hpa_public_fields",
        "nf1_cellpainting",
        "bbbc039_nuclei",
        "dsb2018_fluorescence",
        "bbbc021_cells",
        "mitocheck_cells",
        "hpa_cell_crops_rgb",
    }
