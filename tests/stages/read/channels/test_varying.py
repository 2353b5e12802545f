"""The varying word decides which images are the channels of one field."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.read.read_folders import by_id, channels, codes, put, read
from tests.worlds import draw, save

from cellwise.contracts.layout import Listing
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read.channels.split_names import split_names
from cellwise.stages.read.channels.varying import sites_of, varying_word

FIELDS = range(1, 5)


def names(form, stains, **more):
    """`form` filled with every stain and every value of the other words."""
    rows = itertools.product(*more.values())
    return [form.format(c=c, **dict(zip(more, row, strict=True))) for row in rows for c in stains]


def groups(paths, witness=None):
    """Channels by site, as the names alone tell; None where they tell none."""
    found = varying_word(sorted(paths), witness)
    return None if found is None else [sorted(site) for site in sites_of(found)]


FORMS = {
    "field{n}_{c}.tif": ["d0", "d1"],
    "field{n}-C={c}.png": ["0", "1", "2"],
    "slide {n} ({c}).tif": ["DAPI", "FITC"],
    "feld{n}_{c}.tif": ["Kern", "Aktin"],
    "{c}_cell{n}.tif": ["Hoechst", "Cy5"],
    "cell{n}_{c}_final.tif": ["Hoechst 33258", "Alexa Fluor 555", "DIC"],
    "C{c}-stack{n}.tif": ["1", "2", "3"],
    "img{n}_Channel {c}.tif": ["1", "2"],
    "img{n}_{c}.tif": ["Ch1-T1", "Ch2-T2", "ChD-T1"],
    "pic0{n}ch0{c}.tif": ["0", "1"],
    "P17_B03f0{n}d{c}.TIF": ["0", "1", "2"],
    "{c}/im{n}.tif": ["DAPI", "GFP"],
    "{c}/pos{n}.tif": ["ch00", "ch01"],
    "field{n}/{c}.tif": ["TxRed", "DAPI"],
    "im{n}_{c}nm.tif": ["405", "488", "561"],
    "im{n}_{c}.tif": ["405", "488", "640"],
}


@pytest.mark.parametrize(("form", "stains"), FORMS.items())
def test_one_varying_word_makes_channels(form, stains):
    found = groups(names(form, stains, n=FIELDS))
    assert found is not None
    assert [len(site) for site in found] == [len(stains)] * len(FIELDS)


FIELDS_ONLY = {
    "image_{c}.tif": list("123456789"),
    "exp{n}_s{c}.tif": list("12345"),
    "exp{n}_{c}.tif": list("123"),
    "exp{n}_t00{c}.tif": list("123"),
    "exp{n}_z0{c}.tif": list("123"),
    "{c}_s{n}.tif": ["C01", "C02", "C03"],
    "{c}_s{n}.png": ["A01", "B01"],
    "{c}_{n}.tif": ["control", "drug"],
    "{c}_{n}.png": ["WT", "KO"],
    "mouse{c}_{n}.tif": ["1", "2"],
}


@pytest.mark.parametrize(("form", "values"), FIELDS_ONLY.items())
def test_sites_wells_planes_times_and_conditions_are_no_channels(form, values):
    paths = sorted(set(names(form, values, n=FIELDS)))
    assert groups(paths, lambda _: True) is None


@given(
    stains=st.lists(
        st.sampled_from(["DAPI", "Hoechst 33342", "GFP", "Cy5", "AF568", "ConA", "mito", "TxRed"]),
        min_size=2,
        max_size=5,
        unique=True,
    ),
    sign=st.sampled_from(["_", "-", " ", "__", "."]),
    case=st.sampled_from([str, str.lower, str.upper]),
    order=st.permutations(["stain", "well", "site"]),
    ending=st.sampled_from([".tif", ".TIF", ".ome.tif", ".png"]),
    lacking=st.integers(0, 5),
)
@settings(deadline=None)
def test_order_case_and_separators_do_not_count(stains, sign, case, order, ending, lacking):
    paths = []
    for well, site in itertools.product(("B02", "C11", "D07"), ("s1", "s2")):
        for stain in stains:
            words = {"stain": case(stain), "well": well, "site": site}
            paths.append(sign.join(words[word] for word in order) + ending)
    whole = groups(paths)
    assert whole is not None
    assert [len(site) for site in whole] == [len(stains)] * 6
    # A site that lacks a file stays a site of its own.
    fewer = groups(paths[:lacking] + paths[lacking + 1 :])
    assert sorted(len(site) for site in fewer) == [len(stains) - 1, *[len(stains)] * 5]


def fields(folder, form, stains, count=4, *, one_place=True):
    """Drawn fields; where they do not show one place each image is of its own cells."""
    for k in range(count):
        planes = draw(k, size=64) if one_place else (draw(k, size=64)[0], draw(k + 50, size=64)[0])
        for stain, plane in zip(stains, planes, strict=True):
            save(folder / form.format(n=k, c=stain), plane)
    return folder


def test_any_word_is_a_channel_where_the_pixels_show_one_place(tmp_path):
    reading = read(fields(tmp_path, "probe{n}_{c}.png", ("rot", "blau")))
    assert reading.layout == "named_channels"
    assert len(reading.usable) == 4
    assert channels(reading) == {"blau": None, "rot": None}
    assert any("--layout single_channel" in note for note in reading.notes)


def test_any_word_is_no_channel_where_they_show_different_places(tmp_path):
    folder = fields(tmp_path, "{c}_{n}.png", ("liver", "kidney"), one_place=False)
    reading = read(folder)
    assert reading.layout == "single_channel"
    assert len(reading.usable) == 8


def test_folders_called_like_stains_are_channels_or_classes_as_the_pixels_show(tmp_path):
    stains = ("Kern", "Aktin")
    reading = read(fields(tmp_path / "a", "{c}/feld{n}.png", stains))
    assert channels(reading) == {"Aktin": "actin", "Kern": "nucleus"}
    assert len(reading.usable) == 4
    reading = read(fields(tmp_path / "b", "{c}/feld{n}.png", stains, one_place=False))
    assert reading.classes.names == ("Aktin", "Kern")


def test_numbers_that_show_one_place_are_refused_with_the_words_to_paste(tmp_path):
    folder = fields(tmp_path, "well {n}-{c}.png", ("1", "2"))
    with pytest.raises(PreflightError, match=r"--pattern '\{site\}-\{channel\}'"):
        read(folder)
    assert len(read(folder, pattern="{site}-{channel}").usable) == 4
    assert len(read(folder, layout="single_channel").usable) == 8


def test_numbers_of_different_places_are_fields(tmp_path):
    folder = fields(tmp_path, "well {n}-{c}.png", ("1", "2"), one_place=False)
    assert len(read(folder).usable) == 8


def test_channels_in_class_folders(tmp_path):
    put(tmp_path, *names("{k}/img{n}_{c}.tif", ["ch00", "ch01"], k=("Golgi", "ER"), n=FIELDS))
    reading = read(tmp_path)
    assert reading.layout == "class_folders"
    assert len(reading.usable) == 8
    assert {site.labels for site in reading.sites} == {("Golgi",), ("ER",)}


@pytest.mark.parametrize("form", ["{k}/{c}/img{n}.tif", "{c}/{k}/img{n}.tif"])
def test_folders_of_channels_in_and_around_class_folders(tmp_path, form):
    put(tmp_path, *names(form, ["AF488", "Hoechst33342"], k=("Golgi", "ER"), n=FIELDS))
    reading = read(tmp_path)
    assert reading.layout == "class_folders"
    assert channels(reading) == {"AF488": None, "Hoechst33342": "nucleus"}
    assert by_id(reading)["Golgi_img1"].labels == ("Golgi",)


def test_class_folders_win_over_wells_unless_the_wells_repeat(tmp_path):
    files = names("{k}/{c}.tif", ["A01_DAPI", "A01_GFP"], k=("Drug",))
    files += names("{k}/{c}.tif", ["B01_DAPI", "B01_GFP"], k=("Control",))
    reading = read(put(tmp_path / "classes", *files))
    assert reading.layout == "class_folders"
    assert by_id(reading)["Drug_A01"].metadata == {"Well": "A01"}
    reading = read(put(tmp_path / "plates", *(f.replace("B01", "A01") for f in files)))
    assert reading.layout == "well_channel"
    assert reading.counts["plates"] == 2


def test_one_odd_name_does_not_change_the_layout_and_is_named(tmp_path):
    put(tmp_path, *names("B0{n}_{c}.tif", ["DAPI", "GFP"], n=FIELDS), "overview map.tif")
    reading = read(tmp_path)
    assert reading.layout == "well_channel"
    assert [(p.code, p.path) for p in reading.problems] == [("name_unmatched", "overview map.tif")]


@pytest.mark.parametrize(
    ("names_of_wells", "wells"),
    [
        (("c3", "C04", "c005", "C-6", "c-07", "C_08"), ("C03", "C04", "C05", "C06", "C07", "C08")),
        (("H 1", "H 02", "H 12"), ("H01", "H02", "H12")),
    ],
)
def test_wells_are_read_in_any_spelling(tmp_path, names_of_wells, wells):
    endings = itertools.cycle([".tif", ".TIF"])
    for well, ending in zip(names_of_wells, endings, strict=False):
        put(tmp_path, f"{well}_DNA{ending}", f"{well}_gfp{ending}")
    reading = read(tmp_path)
    assert tuple(sorted(site.metadata["Well"] for site in reading.usable)) == wells


def test_words_like_wells_in_few_names_are_a_line(tmp_path):
    cells = ("MCF7 A1", "liver", "kidney", "heart", "lung")
    put(tmp_path, *names("{k}_{c}.tif", ["DAPI", "GFP"], k=cells))
    reading = read(tmp_path)
    assert all("Well" not in site.metadata for site in reading.sites)
    assert any("word like a well" in note for note in reading.notes)


def test_planes_beside_channels_are_one_stack(tmp_path):
    put(tmp_path, *names("f{n}_z{z}_{c}.tif", ["DAPI", "Cy3"], n=FIELDS, z="123"))
    reading = read(tmp_path)
    assert [len(entry.paths) for site in reading.usable for entry in site.files] == [3] * 8


def test_pictures_made_from_the_channels_are_named_and_not_used(tmp_path):
    put(tmp_path, *names("f{n}_{c}.tif", ["DAPI", "Cy3", "merge"], n=FIELDS))
    reading = read(tmp_path)
    assert len(reading.usable) == 4
    assert codes(reading) == ["name_unmatched"] * 4


def test_a_site_that_lacks_a_channel_stays_a_site_of_its_own(tmp_path):
    files = names("f{n}_{c}.tif", ["Kern", "Aktin", "DIC"], n=FIELDS)
    reading = read(put(tmp_path, *files[1:]))
    assert dict(reading.status) == {
        "f1": "channel_missing",
        **dict.fromkeys(("f2", "f3", "f4"), "ok"),
    }


def test_two_single_files_of_two_fields_are_never_joined(tmp_path):
    put(tmp_path, "img1_DAPI.tif", "img2_GFP.tif")
    assert read(tmp_path).layout == "single_channel"


def test_a_large_folder_is_split_once():
    paths = tuple(names("x{n}_{c}.tif", ["DAPI", "Cy5"], n=range(50)))
    listing = Listing(Path("folder"), images=paths)
    assert split_names(listing) is split_names(listing)


def test_roles_are_matched_without_case_and_separators(tmp_path):
    put(tmp_path, *names("f{n}_{c}.tif", ["Ch 1", "Ch 2"], n=FIELDS))
    reading = read(tmp_path, roles={"ch1": "nucleus", "CH-2": "er"})
    assert list(channels(reading).values()) == ["nucleus", "er"]


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"dapo": "nucleus"}, "no channel is called 'dapo'. Did you mean 'dapi'"),
        ({"w7": "er"}, "The channels are Cy5, DAPI"),
        ({"dapi": "er", "Cy5": "er"}, "two channels never share a role"),
    ],
)
def test_roles_that_do_not_fit_are_refused_with_the_channels(tmp_path, roles, words):
    put(tmp_path, *names("f{n}_{c}.tif", ["DAPI", "Cy5"], n=FIELDS))
    with pytest.raises(BadOption, match=words):
        read(tmp_path, roles=roles)
