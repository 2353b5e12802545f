"""Each layout is recognised without a word, on files made for it."""

from pathlib import Path

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.read.read_folders import (
    by_id,
    channels,
    codes,
    image,
    put,
    put_channels,
    put_hues,
    put_table,
    read,
)

from cellwise.contracts.layout import Listing
from cellwise.domain.records import row_letters
from cellwise.errors import BadOption, PreflightError, UnknownName
from cellwise.stages.read.layouts import layouts
from cellwise.store.images.fields import read_field

HPA = ("red", "green", "blue", "yellow")
GUIDS = [f"{n}84E2C1D-0B05-41FE-AE73-7298887DEB{n}1" for n in range(4)]


def test_well_and_channel(tmp_path):
    put(tmp_path / "images", "A01_dna.png", "A01_gfp.png", "H12_dna.png", "H12_gfp.png")
    reading = read(tmp_path)
    assert reading.layout == "well_channel"
    assert channels(reading) == {"dna": "nucleus", "gfp": "protein"}
    assert [site.id for site in reading.usable] == ["A01", "H12"]
    assert by_id(reading)["H12"].metadata == {"Well": "H12"}
    assert codes(reading) == []


@pytest.mark.parametrize("between", ["f2", "s2", "field2", "2"])
def test_a_site_may_stand_between_well_and_channel(tmp_path, between):
    put(tmp_path, *(f"b7_{between}_{c}.tif" for c in ("DAPI", "GFP", "RFP")))
    (site,) = read(tmp_path).usable
    assert site.id == "B07_2"
    assert site.raw_id == f"b7_{between}"
    assert site.metadata == {"Well": "B07", "Site": "2", "RawWell": "b7"}


def test_folders_name_the_plate_and_so_may_the_file(tmp_path):
    names = [f"{p}/images/A01_{c}.png" for p in ("P1", "P2") for c in ("dna", "er")]
    put(tmp_path, *names)
    assert [site.id for site in read(tmp_path).usable] == ["P1_A01", "P2_A01"]
    put(tmp_path / "b", "P3_A01_dna.png", "P3_A01_er.png")
    (site,) = read(tmp_path / "b").usable
    assert site.metadata == {"Plate": "P3", "Well": "A01"}


def test_kaggle_hpa_with_its_test_part(tmp_path):
    put(tmp_path / "train", *(f"aa-1_{c}.png" for c in HPA), dtype="uint16")
    put(tmp_path / "train", *(f"bb-2_{c}.png" for c in HPA))
    put(tmp_path / "test", *(f"cc-3_{c}.png" for c in HPA))
    put_table(tmp_path / "train.csv", ("ID", "Label"), ("aa-1", "8|5|0"), ("bb-2", "18"))
    header = ("ID", "ImageWidth", "ImageHeight", "PredictionString")
    long = "0 1 " + "e" * 200_000
    put_table(tmp_path / "sample_submission.csv", header, ("cc-3", 1, 1, long), ("dd", 1, 1, ""))
    reading = read(tmp_path)
    assert reading.layout == "hpa"
    assert channels(reading) == {
        "red": "microtubule",
        "green": "protein",
        "blue": "nucleus",
        "yellow": "er",
    }
    sites = by_id(reading)
    assert {i: s.part for i, s in sites.items()} == {
        "aa-1": "train",
        "bb-2": "train",
        "cc-3": "test",
    }
    assert sites["aa-1"].labels == ("Nucleoplasm", "Nuclear bodies", "Intermediate filaments")
    assert sites["bb-2"].labels == ("Negative",)
    assert sites["cc-3"].labels is None
    assert reading.class_list == "hpa19"
    assert reading.classes.negative == "Negative"
    assert codes(reading) == ["declared_without_image"]
    assert read_field(sites["aa-1"], tmp_path).pixels.max() > 0.99


def test_further_columns_of_the_hpa_table_become_metadata(tmp_path):
    put(tmp_path / "train", *(f"{i}_{c}.png" for c in HPA for i in ("aa", "bb")))
    header = ("ID", "Label", "Sample", "Cell line")
    put_table(tmp_path / "train.csv", header, ("aa", "0", "p1", "U-2 OS"), ("bb", "1", "p2", ""))
    sites = by_id(read(tmp_path))
    assert sites["aa"].metadata == {"Sample": "p1", "Cell line": "U-2 OS"}
    assert sites["bb"].metadata == {"Sample": "p2"}
    assert sites["bb"].labels == ("Nuclear membrane",)


def test_hpa_labels_outside_the_list_are_refused(tmp_path):
    put(tmp_path / "train", *(f"aa_{c}.png" for c in HPA))
    put_table(tmp_path / "train.csv", ("ID", "Label"), ("aa", "19"))
    with pytest.raises(PreflightError, match="'19'"):
        read(tmp_path)


def test_hpa_labels_without_images_and_images_without_labels_are_counted(tmp_path):
    put(tmp_path / "train", *(f"{i}_{c}.png" for c in HPA for i in ("aa", "bb")))
    put_table(tmp_path / "train.csv", ("ID", "Label"), ("aa", "0"), ("gone", "1"))
    reading = read(tmp_path)
    assert codes(reading) == ["label_without_image"]
    assert reading.counts["images_without_label"] == 1
    assert reading.unlabelled == ("bb",)
    assert by_id(reading)["bb"].part == "unlabelled"


HPA_HUES = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}


def _challenge(folder):
    """Two fields to learn from and one of the test part."""
    put(folder / "train", *(f"{i}_{c}.png" for c in HPA for i in ("aa-1", "bb-2")))
    put(folder / "test", *(f"cc-3_{c}.png" for c in HPA))
    put_table(folder / "train.csv", ("ID", "Label"), ("aa-1", "8|5|0"), ("bb-2", "18"))


def _public(folder, *rows):
    """Two public fields, as they are fetched."""
    put_hues(folder / "30741", {f"800_A6_1_{c}.jpg": hue for c, hue in HPA_HUES.items()})
    put_hues(folder / "77", {f"9_B2_2_{c}.jpg": hue for c, hue in HPA_HUES.items()})
    rows = rows or (("800_A6_1", "Cytosol|Golgi apparatus"), ("9_B2_2", "Mitotic spindle"))
    table = [(site, label, "public", "U-2 OS") for site, label in rows]
    put_table(folder / "labels.csv", ("ID", "Label", "Source", "CellLine"), *table)


def test_public_images_inside_the_challenge_s_folder_are_learned_from_too(tmp_path):
    _challenge(tmp_path)
    before = by_id(read(tmp_path))
    _public(tmp_path / "public")
    reading = read(tmp_path)
    assert reading.layout == "hpa"
    sites = by_id(reading)
    assert {i: (s.part, s.metadata["Source"]) for i, s in sites.items()} == {
        "aa-1": ("train", "challenge"),
        "bb-2": ("train", "challenge"),
        "cc-3": ("test", "challenge"),
        "800_A6_1": ("train", "public"),
        "9_B2_2": ("train", "public"),
    }
    assert sites["800_A6_1"].labels == ("Golgi apparatus", "Cytosol")
    assert sites["9_B2_2"].labels == ("Mitotic spindle",)
    assert sites["9_B2_2"].metadata["CellLine"] == "U-2 OS"
    assert all(entry.colour for entry in sites["9_B2_2"].files)
    assert sites["aa-1"].files == before["aa-1"].files, "the challenge's fields stay as they were"
    assert any("2 public fields" in note for note in reading.notes)
    assert codes(reading) == []
    assert read_field(sites["9_B2_2"], tmp_path).pixels.shape == (4, 96, 64)


def test_public_images_that_are_missing_or_named_otherwise_are_told(tmp_path):
    _challenge(tmp_path)
    _public(tmp_path / "public", ("800_A6_1", "Cytosol"), ("5_C3_1", "Cytosol"))
    assert codes(read(tmp_path)) == ["label_without_image"]
    put(tmp_path / "public", "odd.png")
    reading = read(tmp_path)
    assert sorted(by_id(reading)) == ["800_A6_1", "9_B2_2", "aa-1", "bb-2", "cc-3"]
    assert any("odd.png" in problem.path for problem in reading.problems)


def test_a_folder_of_other_images_beside_the_challenge_s_is_none_of_public_ones(tmp_path):
    _challenge(tmp_path)
    put(tmp_path / "more", *(f"dd-4_{c}.png" for c in HPA))
    put_table(tmp_path / "more" / "labels.csv", ("ID", "Label"), ("dd-4", "0"))
    sites = by_id(read(tmp_path))
    assert "more_dd-4" in sites
    assert all("Source" not in site.metadata for site in sites.values())


def test_public_hpa_images_hold_grey_in_colours(tmp_path):
    put_hues(tmp_path / "30741", {f"800_A6_1_{c}.jpg": hue for c, hue in HPA_HUES.items()})
    header = ("Image", "Label", "Cellline")
    put_table(
        tmp_path / "kaggle_2021.csv",
        header,
        ("http://x/30741/800_A6_1", "Cytosol,Peroxisomes,Rods & Rings", "U-2 OS"),
    )
    reading = read(tmp_path)
    assert reading.layout == "hpa_public"
    (site,) = reading.usable
    assert site.id == "800_A6_1"
    assert site.labels == ("Cytosol", "Vesicles and punctate cytosolic patterns")
    assert site.metadata["Antibody"] == "30741"
    assert site.metadata["CellLine"] == "U-2 OS"
    assert site.metadata["Well"] == "A06"
    assert all(entry.colour for entry in site.files)
    assert any("Rods & Rings" in note for note in reading.notes)
    assert read_field(site, tmp_path).pixels.shape == (4, 96, 64)


@pytest.mark.parametrize("beside", [True, False])
def test_both_kinds_of_ids_of_public_images_are_understood(tmp_path, beside):
    """Files and table may each have the antibody's number before the name, or not."""
    begin = "30741/800" if beside else "30741_800"
    put_hues(tmp_path, {f"{begin}_A6_1_{c}.jpg": hue for c, hue in HPA_HUES.items()})
    for name in ("30741_800_A6_1", "800_A6_1"):
        put_table(tmp_path / "labels.csv", ("ID", "Label", "Source"), (name, "Cytosol", "public"))
        for reading in (read(tmp_path), read(tmp_path, labels=str(tmp_path / "labels.csv"))):
            (site,) = reading.usable
            assert (site.id, site.labels) == ("800_A6_1", ("Cytosol",))
            assert site.metadata["Antibody"] == "30741"
            assert site.metadata["Source"] == "public"


def test_rxrx1_as_kaggle_gives_it(tmp_path):
    for part, experiment in (("train", "HEPG2-01"), ("test", "HEPG2-08")):
        names = [f"B03_s{s}_w{c}.png" for s in (1, 2) for c in range(1, 7)]
        put(tmp_path / part / experiment / "Plate1", *names)
    columns = ("id_code", "experiment", "plate", "well")
    row = ("HEPG2-01_1_B03", "HEPG2-01", 1, "B03")
    put_table(tmp_path / "train.csv", (*columns, "sirna"), (*row, 1107))
    put_table(tmp_path / "test.csv", columns, ("HEPG2-08_1_B03", "HEPG2-08", 1, "B03"))
    reading = read(tmp_path)
    assert reading.layout == "rxrx1"
    sites = by_id(reading)
    assert list(sites) == [f"HEPG2-0{e}_1_B03_{s}" for e in (1, 8) for s in (1, 2)]
    train, test = sites["HEPG2-01_1_B03_2"], sites["HEPG2-08_1_B03_1"]
    assert (train.part, train.labels) == ("train", ("1107",))
    assert (test.part, test.labels) == ("test", None)
    assert train.metadata["Plate"] == "HEPG2-01_1"
    assert train.metadata["CellType"] == "HEPG2"
    # The challenge says it of controls only.
    assert {site.metadata["WellType"] for site in sites.values()} == {"treatment"}
    assert list(channels(reading).values()) == [
        "nucleus",
        "er",
        "actin",
        "rna",
        "mitochondria",
        "golgi",
    ]


def test_rxrx1_as_the_public_release_gives_it(tmp_path):
    put(tmp_path / "images" / "HUVEC-1" / "Plate2", *(f"M23_s2_w{c}.png" for c in range(1, 7)))
    header = ("site_id", "well_id", "dataset", "well_type", "sirna", "sirna_id")
    row = ("HUVEC-1_2_M23_2", "HUVEC-1_2_M23", "test", "treatment", "s21721", "1000")
    put_table(tmp_path / "metadata.csv", header, row)
    (site,) = read(tmp_path).usable
    assert (site.id, site.part, site.labels) == ("HUVEC-1_2_M23_2", "test", ("1000",))
    assert site.metadata["WellType"] == "treatment"
    assert site.metadata["Sirna"] == "s21721"


@pytest.mark.parametrize("padded", ["folders", "table"])
def test_rxrx1_rows_find_images_whose_numbers_have_other_zeros(tmp_path, padded):
    folder, named = ("RPE-03", "RPE-3") if padded == "folders" else ("RPE-3", "RPE-03")
    well, in_table = ("B02", "B2") if padded == "folders" else ("M23", "M23")
    for site in (1, 2):
        names = (f"{well}_s{site}_w{c}.png" for c in range(1, 7))
        put(tmp_path / "images" / folder / "Plate1", *names)
    header = ("site_id", "well_type", "sirna_id")
    rows = [(f"{named}_1_{in_table}_{site}", "positive_control", "1120") for site in (1, 2)]
    put_table(tmp_path / "metadata.csv", header, *rows)
    reading = read(tmp_path)
    assert [site.labels for site in reading.usable] == [("1120",)] * 2
    assert not reading.problems
    # Experiments 3 and 03 side by side are two: a row means the one that is written so.
    for c in range(1, 7):
        put(tmp_path / "images" / named / "Plate1", f"{in_table}_s1_w{c}.png")
    if padded == "table":
        labels = {site.metadata["Experiment"]: site.labels for site in read(tmp_path).usable}
        assert labels == {named: ("1120",), folder: None}


@pytest.mark.parametrize("twice", ["alike", "other", "unpadded"])
def test_rxrx1_rows_of_one_well_that_disagree_give_it_no_label(tmp_path, twice):
    put(tmp_path / "images" / "RPE-04" / "Plate1", *(f"C05_s1_w{c}.png" for c in range(1, 7)))
    second = {"alike": ("RPE-04_1_C05_1", "31"), "other": ("RPE-04_1_C05_1", "47"),
              "unpadded": ("RPE-04_1_C5_1", "47")}[twice]  # fmt: skip
    rows = [("RPE-04_1_C05_1", "31"), second]
    for order in (rows, rows[::-1]):
        put_table(tmp_path / "metadata.csv", ("site_id", "sirna_id"), *order)
        reading = read(tmp_path)
        (site,) = reading.usable
        codes = [problem.code for problem in reading.problems]
        # C5 beside C05 is another well, of which there is no image.
        want = {"alike": [], "other": ["label_contradiction"], "unpadded": ["label_without_image"]}
        assert codes == want[twice]
        assert site.labels == (None if twice == "other" else ("31",))


def _rxrx1_wells(folder):
    for well in ("B02", "B03"):
        put(folder / "RPE-04" / "Plate1", *(f"{well}_s1_w{c}.png" for c in range(1, 7)))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [(("RPE-04", 1, "B03"), "well B03"), (("RPE-04", 2, "B02"), "plate 2"),
     (("RPE-4", "Plate01", "b2"), ""), (("mine", "BR117", "7"), "")],
)  # fmt: skip
def test_rxrx1_rows_whose_columns_say_another_well_than_their_name_are_not_used(
    tmp_path, wrong, fault
):
    _rxrx1_wells(tmp_path)
    rows = [("RPE-04_1_B02", *wrong, 31), ("RPE-04_1_B03", "RPE-04", 1, "B03", "47.0")]
    put_table(tmp_path / "train.csv", ("id_code", "experiment", "plate", "well", "sirna"), *rows)
    reading = read(tmp_path)
    labels = {site.metadata["Well"]: site.labels for site in reading.usable}
    assert labels == {"B02": None if fault else ("31",), "B03": ("47",)}
    assert [p.code for p in reading.problems] == ["label_contradiction"] * bool(fault)
    assert all(f"says {fault} in" in p.reason for p in reading.problems)


def test_rxrx1_tables_without_names_are_joined_by_the_three_columns_of_the_place(tmp_path):
    _rxrx1_wells(tmp_path)
    rows = [("RPE-04", "Plate1", "B2", 31), ("RPE-04", 1, "B03", 47)]
    put_table(tmp_path / "train.csv", ("Experiment", "Plate", "Well", "sirna"), *rows)
    put_table(tmp_path / "metadata.csv", ("operator",), ("somebody",))
    reading = read(tmp_path)
    assert [site.labels for site in reading.usable] == [("31",), ("47",)]
    # What names no well hides no other table, and is said.
    (problem,) = reading.problems
    assert (problem.path, problem.code) == ("metadata.csv", "label_row_malformed")


@pytest.mark.parametrize("where", ["train_controls", "test_controls"])
def test_rxrx1_wells_that_are_treated_by_one_table_and_controls_by_another(tmp_path, where):
    _rxrx1_wells(tmp_path)
    columns = ("id_code", "sirna", "well_type")
    put_table(tmp_path / "train.csv", columns[:2], ("RPE-04_1_B02", 31), ("RPE-04_1_B03", 47))
    put_table(tmp_path / f"{where}.csv", columns, ("RPE-04_1_B02", 31, "negative_control"))
    reading = read(tmp_path)
    assert [site.labels for site in reading.usable] == [None, ("47",)]
    (problem,) = reading.problems
    assert problem.code == "label_contradiction"
    assert "different well types: 'negative_control' and 'treatment'" in problem.reason


def test_rxrx1_cell_types_are_those_of_the_table(tmp_path):
    """Names of experiments begin with them in the public release, and need not elsewhere."""
    for plate in (1, 2, 3):
        put(tmp_path / "batch-1" / f"Plate{plate}", *(f"B02_s1_w{c}.png" for c in range(1, 7)))
    rows = [("batch-1_1_B02_1", "1", "HeLa"), ("batch-1_2_B02_1", "2", "A549"),
            ("batch-1_3_B02_1", "1", "")]  # fmt: skip
    put_table(tmp_path / "metadata.csv", ("site_id", "sirna_id", "cell_type"), *rows)
    kinds = [site.metadata["CellType"] for site in read(tmp_path).usable]
    assert kinds == ["HeLa", "A549", "batch"]


def test_rxrx1_with_one_sirna_names_the_columns_that_tell_fields_apart(tmp_path):
    lines = ("HUVEC-1", "HUVEC-2", "RPE-1", "RPE-2")
    for experiment in lines:
        put(tmp_path / "images" / experiment / "Plate1", *(f"B02_s1_w{c}.png" for c in range(1, 7)))
    header = ("site_id", "well_id", "well_type", "cell_type", "sirna")
    rows = [(f"{e}_1_B02_1", f"{e}_1_B02", "control", e.split("-")[0], "EMPTY") for e in lines]
    table = put_table(tmp_path / "metadata.csv", header, *rows)
    (note,) = [note for note in read(tmp_path).notes if "siRNA" in note]
    assert note.endswith("metadata.csv --set read.label=cell_type")
    told = read(tmp_path, labels=str(table), label="cell_type")
    assert not any("siRNA" in note for note in told.notes)
    told = by_id(told)
    assert told["RPE-1_1_B02_1"].labels == ("RPE",)
    # The table is read twice, as the folder's own and as labels: each column stands once.
    assert told["RPE-1_1_B02_1"].metadata["WellType"] == "control"
    plain = [name.lower().replace("_", "") for name in told["RPE-1_1_B02_1"].metadata]
    assert len(plain) == len(set(plain))
    rows[0] = (*rows[0][:-1], "s1")
    put_table(tmp_path / "metadata.csv", header, *rows)
    assert not any("siRNA" in note for note in read(tmp_path).notes)


def test_harmony_names_give_wells_and_stacks(tmp_path):
    names = [f"plate1/Images/r16c24f03p0{z}-ch{c}sk1fk1fl1.tiff" for z in (1, 2, 3) for c in (1, 2)]
    put(tmp_path, *names, dtype="uint16")
    reading = read(tmp_path)
    assert reading.layout == "phenix"
    (site,) = reading.usable
    assert (site.id, site.metadata["Well"]) == ("plate1_P24_3", "P24")
    assert [len(entry.paths) for entry in site.files] == [3, 3]
    (middle,) = read(tmp_path, stack="mid").usable
    assert [entry.paths for entry in middle.files] == [(names[2],), (names[3],)]
    refused = read(tmp_path, stack="refuse")
    assert refused.usable == ()
    assert set(codes(refused)) == {"z_stack"}


def test_rows_of_large_plates_have_two_letters():
    assert [row_letters(row) for row in (1, 26, 27, 32)] == ["A", "Z", "AA", "AF"]


def test_imagexpress_names_with_their_guid(tmp_path):
    for guid, (site, channel) in zip(GUIDS, [(1, 1), (1, 2), (2, 1), (2, 2)], strict=True):
        put(tmp_path / "TimePoint_1", f"Week1_B02_s{site}_w{channel}{guid}.tif")
        put(tmp_path / "TimePoint_1", f"Week1_B02_s{site}_w{channel}_thumb{guid}.tif")
    reading = read(tmp_path)
    assert reading.layout == "imagexpress"
    assert [site.id for site in reading.usable] == ["Week1_B02_1", "Week1_B02_2"]
    assert channels(reading) == {"w1": None, "w2": None}
    assert any("4 thumbnails" in note for note in reading.notes)


def test_incell_names_old_and_new(tmp_path):
    put(tmp_path / "old", *(f"A - 01(fld 2 wv {c}).tif" for c in ("Blue - DAPI", "Red - Cy5")))
    (site,) = read(tmp_path / "old").usable
    assert (site.id, site.metadata["Well"]) == ("A01_2", "A01")
    names = [
        f"A_01_f2_c{n}_x{x}_m{m}_z1_t1.tif"
        for n, (x, m) in enumerate([("UV", "DAPI"), ("Blue", "FITC")])
    ]
    put(tmp_path / "new", *names)
    reading = read(tmp_path / "new")
    assert reading.layout == "incell"
    assert [site.id for site in reading.usable] == ["A01_2"]
    assert set(channels(reading)) == {"UV - DAPI", "Blue - FITC"}


def test_cellvoyager_names_give_wells_fields_and_planes(tmp_path):
    form = "P8/AB_C07_T0001F00{f}L01A0{c}Z0{z}C0{c}.tif"
    put(tmp_path, *(form.format(f=f, c=c, z=z) for f in (1, 2) for c in (1, 3) for z in (1, 2)))
    reading = read(tmp_path)
    assert reading.layout == "cv7000"
    assert [site.id for site in reading.usable] == ["P8_C07_1", "P8_C07_2"]
    assert list(channels(reading)) == ["C01", "C03"]
    assert [len(entry.paths) for entry in reading.usable[0].files] == [2, 2]


def test_one_ome_tiff_per_site_names_its_channels(tmp_path):
    metadata = {
        "axes": "CYX",
        "PhysicalSizeX": 0.5,
        "Channel": {"Name": ["Hoechst 33342", "Tubulin", "odd"]},
    }
    put_channels(tmp_path, "A01_s1.ome.tif", "A01_s2.ome.tif", metadata=metadata)
    reading = read(tmp_path)
    assert reading.layout == "multichannel"
    assert channels(reading) == {"Hoechst 33342": "nucleus", "Tubulin": "microtubule", "odd": None}
    assert [site.id for site in reading.usable] == ["A01_1", "A01_2"]
    assert {site.pixel_size for site in reading.usable} == {0.5}
    field = read_field(reading.usable[0], tmp_path)
    assert field.pixels.shape == (3, 24, 32)
    assert field.pixels[0].tolist() != field.pixels[1].tolist()


def test_imagej_and_plain_pages_are_channels_too(tmp_path):
    put_channels(tmp_path / "ij", "x.tif", "y.tif", imagej=True, metadata={"axes": "CYX"})
    assert read(tmp_path / "ij").layout == "multichannel"
    put_channels(tmp_path / "plain", "x.tif", "y.tif", metadata=None)
    reading = read(tmp_path / "plain")
    assert reading.layout == "multichannel"
    assert list(channels(reading)) == ["ch1", "ch2", "ch3"]
    assert any("not say what their pages are" in note for note in reading.notes)


def test_a_multichannel_stack_keeps_its_middle_when_asked(tmp_path):
    put_channels(tmp_path, "x.tif", channels=4, imagej=True, metadata={"axes": "CYX"})
    path = tmp_path / "z" / "y.tif"
    path.parent.mkdir()
    stack = image(1, (5, 2, 24, 32), "uint16")
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
    (site,) = read(path.parent, stack="mid").usable
    field = read_field(site, path.parent)
    expected = stack[2, 1].astype("float32") / 65535
    assert (field.pixels[1] == expected).all()
    assert read(path.parent, stack="refuse").usable == ()


def test_a_damaged_file_among_multichannel_ones_is_set_aside_by_its_own_reason(tmp_path):
    put_channels(tmp_path, "x.tif", "y.tif", imagej=True, metadata={"axes": "CYX"})
    (tmp_path / "z.tif").write_bytes(b"")
    reading = read(tmp_path)
    assert reading.status == {"x": "ok", "y": "ok", "z": "empty_file"}
    assert len(by_id(reading)["z"].files) == 3


def test_folders_may_be_the_classes(tmp_path):
    put(tmp_path, "Golgi/a.tif", "Golgi/b.tif", "Nuclear speckles/a.tif", "unlabelled/c.tif")
    reading = read(tmp_path)
    assert reading.layout == "class_folders"
    sites = by_id(reading)
    assert sites["Golgi_a"].labels == ("Golgi",)
    assert sites["Nuclear_speckles_a"].labels == ("Nuclear speckles",)
    assert sites["unlabelled_c"].labels is None
    assert reading.classes.names == ("Golgi", "Nuclear speckles")


def test_class_folders_hold_channels_and_parts_too(tmp_path):
    names = [
        f"{p}/{k}/img1_{c}.png" for p in ("train", "test") for k in "xy" for c in ("dapi", "gfp")
    ]
    put(tmp_path, *names)
    reading = read(tmp_path)
    assert reading.layout == "class_folders"
    assert channels(reading) == {"dapi": "nucleus", "gfp": "protein"}
    assert [site.part for site in reading.usable] == ["test", "test", "train", "train"]
    put_channels(tmp_path / "m", "k1x/a.tif", "k2x/b.tif", imagej=True, metadata={"axes": "CYX"})
    assert read(tmp_path / "m").layout == "class_folders"


def test_folders_called_plates_are_no_classes(tmp_path):
    put(tmp_path, "plate1/a.tif", "plate2/b.tif")
    assert read(tmp_path).layout == "single_channel"


def test_with_a_labels_file_folders_are_no_classes(tmp_path):
    put(tmp_path / "in", "k/a.tif", "l/b.tif")
    labels = put_table(tmp_path / "labels.csv", ("image", "label"), ("a", "x"), ("b", "y"))
    reading = read(tmp_path / "in", labels=str(labels))
    assert reading.layout == "single_channel"
    assert [site.labels for site in reading.sites] == [("x",), ("y",)]


def test_a_stain_at_the_end_of_any_name(tmp_path):
    put(tmp_path, "liver 7-dapi.png", "liver 7-actin.png", "x-dapi.png", "x-actin.png")
    reading = read(tmp_path)
    assert reading.layout == "named_channels"
    assert [site.id for site in reading.usable] == ["liver_7", "x"]


def test_anything_else_is_one_channel_per_image(tmp_path):
    put(tmp_path / "images", "1a.png", "1b.png", "P_C03_s2.png")
    put(tmp_path / "masks", "1a.png")
    reading = read(tmp_path)
    assert reading.layout == "single_channel"
    assert channels(reading) == {"image": None}
    assert by_id(reading)["P_C03_s2"].metadata == {"Well": "C03", "Site": "2"}
    assert reading.counts["ignored_files"] == {"masks/": 1}


def test_a_pattern_says_how_files_are_named(tmp_path):
    put(tmp_path, *(f"x/plateA_c5_s{s}_w{c}.tif" for s in (1, 2) for c in (1, 2)))
    reading = read(tmp_path, pattern="{plate}_{well}_s{site}_w{channel}")
    assert reading.layout == "pattern"
    assert [site.id for site in reading.usable] == ["plateA_C05_1", "plateA_C05_2"]
    assert list(channels(reading)) == ["1", "2"]
    assert by_id(reading)["plateA_C05_1"].raw_id == "x/plateA_c5_s1"
    assert by_id(reading)["plateA_C05_1"].metadata["RawWell"] == "c5"


def test_a_pattern_may_describe_folders_stacks_and_endings(tmp_path):
    put(tmp_path, *(f"in/P7/D4/{c}-z{z}-junk{z}.tif" for c in ("er", "dna") for z in (1, 2)))
    put(tmp_path, "in/P7/D4/notes.png")
    reading = read(tmp_path, pattern="{plate}/{well}/{channel}-z{z}-{ignore}.tif")
    (site,) = reading.usable
    assert site.id == "P7_D04"
    assert [len(entry.paths) for entry in site.files] == [2, 2]
    assert codes(reading) == ["name_unmatched"]
    star = read(tmp_path, pattern="{plate}/{well}/{channel}-z{z}-*")
    assert [s.id for s in star.usable] == ["P7_D04"]


def test_a_wrong_pattern_says_what_is_wrong(tmp_path):
    put(tmp_path, "a.tif")
    with pytest.raises(BadOption, match=r"Did you mean '\{channel\}'"):
        read(tmp_path, pattern="{well}_{chanel}")
    with pytest.raises(PreflightError, match=r"the first is 'a\.tif'"):
        read(tmp_path, pattern="{well}_{channel}")
    with pytest.raises(BadOption, match="no word"):
        read(tmp_path, pattern="a")
    with pytest.raises(BadOption, match="leave out --layout hpa"):
        read(tmp_path, pattern="{well}", layout="hpa")
    with pytest.raises(BadOption, match="needs --pattern"):
        read(tmp_path, layout="pattern")


def test_an_unknown_layout_is_refused_with_the_nearest_name(tmp_path):
    put(tmp_path, "a.tif")
    with pytest.raises(UnknownName, match="Did you mean 'phenix'"):
        read(tmp_path, layout="phoenix")


def test_a_named_layout_is_taken_even_where_another_fits_better(tmp_path):
    put(tmp_path, "A01_dna.png", "A01_gfp.png")
    reading = read(tmp_path, layout="single_channel")
    assert reading.layout == "single_channel"
    assert len(reading.sites) == 2


def test_own_labels_need_not_be_the_layouts_classes(tmp_path):
    put(tmp_path, *(f"aa_{c}.png" for c in HPA))
    labels = put_table(tmp_path / "l.txt", ("ID", "label"), ("aa", "drug|sick"))
    assert read(tmp_path, layout="hpa", labels=str(labels)).classes.names == ("drug", "sick")
    labels = put_table(tmp_path / "l.txt", ("ID", "label"), ("aa", "0|19"))
    with pytest.raises(PreflightError, match="'19'"):
        read(tmp_path, layout="hpa", labels=str(labels))


WORDS = (
    "A01",
    "b7",
    "s1",
    "w1",
    "dna",
    "GFP",
    "red",
    "Plate1",
    "images",
    "_",
    "-",
    " ",
    "é",
    "train",
)
NAMES = st.lists(st.sampled_from((*WORDS, "_", "_", "/")), min_size=1, max_size=9).map("".join)


@given(names=st.lists(NAMES, min_size=1, max_size=6), ending=st.sampled_from([".png", ".TIF"]))
def test_every_layout_accounts_for_every_image_once_and_keeps_it(names, ending):
    clean = {"/".join(part for part in name.split("/") if part) for name in names}
    paths = tuple(sorted(f"{name}{ending}" for name in clean if name))
    if not paths:
        return
    listing = Listing(Path("folder"), images=paths)
    for name in layouts.part_names():
        spec = {"name": name, "pattern": "{well}*{channel}"} if name == "pattern" else name
        layout = layouts.build(spec)
        confidence = layout.recognise(listing)
        assert confidence is None or 0 < confidence <= 1
        try:
            arrangement = layout.arrange(listing)
        except PreflightError:
            assert name == "pattern"
            continue
        # A file of several planes is used once for each, and never beside a file that fits nowhere.
        planes = [(plane.path, plane.plane) for plane in arrangement.planes]
        assert len(set(planes)) == len(planes)
        used = sorted({path for path, _ in planes}) + list(arrangement.unmatched)
        assert sorted(used) == list(paths)


@pytest.mark.parametrize("name", [n for n in layouts.part_names() if n != "pattern"])
def test_every_layout_survives_a_folder_of_another_kind(tmp_path, name):
    put(tmp_path, "what ever.png", "<script>alert(1)</script>x.png".replace("/", "_"))
    reading = read(tmp_path, layout=name)
    assert len(reading.sites) + codes(reading).count("name_unmatched") == 2


@pytest.mark.parametrize("word", ["nan", "NA", "None", ""])
def test_rxrx1_words_for_nothing_are_no_treatment(tmp_path, word):
    _rxrx1_wells(tmp_path)
    rows = [("RPE-04_1_B02", word), ("RPE-04_1_B03", 47)]
    put_table(tmp_path / "train.csv", ("id_code", "sirna"), *rows)
    reading = read(tmp_path)
    labels = {site.metadata["Well"]: site.labels for site in reading.usable}
    assert labels == {"B02": None, "B03": ("47",)}
    assert "nan" not in reading.classes.names
