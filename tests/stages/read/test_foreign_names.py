"""Names that programs of microscopes give: fields, channels, times and classes are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.read.read_folders import by_id, channels, codes, put, read

from cellwise.domain.records import normalise_well, row_letters
from cellwise.errors import PreflightError
from cellwise.stages.read.channels.tokens import sort_of

STAINS = ("DAPI", "FITC")


@given(st.integers(1, 32), st.integers(1, 48), st.data())
def test_rows_and_columns_as_numbers_name_a_well(row, column, data):
    form = data.draw(
        st.sampled_from(["R{:02d}C{:02d}", "r{}c{}", "R{}_C{}", "Row{:02d} Col{:02d}"])
    )
    assert normalise_well(form.format(row, column)) == f"{row_letters(row)}{column:02d}"


def test_a_row_that_no_plate_has_is_no_well():
    assert normalise_well("R33C01") is None
    assert normalise_well("R01C00") is None


def test_channels_of_zen_are_no_wells(tmp_path):
    put(tmp_path, *(f"Run-{i:02d}_c{c}_ORG.tif" for i in range(3) for c in (1, 2, 3)))
    reading = read(tmp_path)
    assert set(channels(reading)) == {"c1", "c2", "c3"}
    assert len(reading.usable) == 3


def test_wells_of_row_c_stay_wells(tmp_path):
    put(tmp_path, *(f"P{p}_C{c}_{s}.tif" for p in (1, 2) for c in (1, 2) for s in STAINS))
    assert {s.metadata["Well"] for s in read(tmp_path).sites} == {"C01", "C02"}


def test_wells_that_names_begin_with_stay_wells(tmp_path):
    put(tmp_path, *(f"C{w}_f{f}_raw.tif" for w in (1, 2) for f in (1, 2)))
    assert {s.metadata["Well"] for s in read(tmp_path).sites} == {"C01", "C02"}


@pytest.mark.parametrize("word", ["DAPI", "GFP", "ch1", "BF"])
@pytest.mark.parametrize("form", ["C{w}_s{s}_{c}.tif", "P1_C{w}_{c}.tif", "P{s}/C{w}_{c}.tif"])
def test_wells_of_row_c_with_one_channel_stay_wells(tmp_path, form, word):
    put(tmp_path, *dict.fromkeys(form.format(w=w, s=s, c=word) for w in (1, 2, 3) for s in (1, 2)))
    reading = read(tmp_path)
    assert {s.metadata["Well"] for s in reading.sites} == {"C01", "C02", "C03"}
    assert list(channels(reading)) == [word]


TIMES = {
    "IncuCyte": ("VID8_{c}_B{f}_1_2021y05m{t:02d}d_07h30m.tif", ("blue", "green")),
    "IncuCyte, hours": ("VID8_{c}_B{f}_1_{t:02d}d12h00m.tif", ("blue", "green")),
    "NIS-Elements": ("expt{t:02d}xy{f:02d}{c}.tif", ("c1", "c2")),
    "Micro-Manager 2": (
        "img_{c}_position{f:03d}_time{t:09d}_z000.tif",
        ("channel000", "channel001"),
    ),
    "Micro-Manager 1": ("Pos{f}/img_{t:09d}_{c}_000.tif", STAINS),
}


@pytest.mark.parametrize("program", TIMES)
def test_times_of_programs_are_no_fields_of_their_own(tmp_path, program):
    form, two = TIMES[program]
    put(tmp_path, *(form.format(c=c, f=f, t=t) for c in two for f in (1, 2) for t in (9, 10, 30)))
    assert codes(read(tmp_path)) == ["time_series"] * 2
    reading = read(tmp_path, time="each")
    assert len(reading.usable) == 6
    series = {}
    for site in sorted(reading.sites, key=lambda s: int(s.metadata["TimePoint"])):
        series.setdefault(site.metadata["TimeSeries"], []).append(site.files[0].paths[0])
    # In the order of time, each field by itself.
    for number, paths in enumerate(sorted(series.values()), start=1):
        assert paths == [form.format(c=two[0], f=number, t=t) for t in (9, 10, 30)]


def test_single_times_are_not_spoken_of(tmp_path):
    form = "VID8_{c}_B{f}_1_2021y05m02d_07h30m.tif"
    put(tmp_path, *(form.format(c=c, f=f) for c in ("blue", "green") for f in (1, 2)))
    reading = read(tmp_path)
    assert {site.metadata["Well"] for site in reading.usable} == {"B01", "B02"}


def test_slices_of_micromanager_1_are_one_stack(tmp_path):
    put(
        tmp_path,
        *(
            f"Pos{f}/img_000000000_{c}_{z:03d}.tif"
            for f in (0, 1)
            for c in STAINS
            for z in (0, 1, 2)
        ),
    )
    reading = read(tmp_path)
    assert [len(entry.paths) for site in reading.usable for entry in site.files] == [3] * 4
    assert channels(reading)["DAPI"] == "nucleus"


def test_planes_of_scanr_are_one_stack(tmp_path):
    put(
        tmp_path,
        *(
            f"a--W0000{w}--P00001--Z{z:05d}--T00000--{c}.tif"
            for w in (1, 2)
            for z in (0, 1)
            for c in STAINS
        ),
    )
    assert [len(e.paths) for s in read(tmp_path).usable for e in s.files] == [2] * 4


def test_wells_and_points_of_nis_jobs(tmp_path):
    put(
        tmp_path,
        *(
            f"WellC{w:02d}_Point000{p}_Seq0001_Channel{c}.tif"
            for w in (5, 6)
            for p in (1, 2)
            for c in STAINS
        ),
    )
    found = {(s.metadata["Well"], s.metadata["Site"]) for s in read(tmp_path).usable}
    assert found == {("C05", "1"), ("C05", "2"), ("C06", "1"), ("C06", "2")}


@pytest.mark.parametrize("recorded", [(1, 1), (1, 2)])
def test_names_of_harmony_3(tmp_path, recorded):
    put(
        tmp_path,
        *(
            f"r03c0{w}f02p01rc{r}-ch{c}sk1fk1fl1.tiff"
            for w in (4, 5)
            for r, c in zip((1, 2), recorded, strict=True)
        ),
    )
    reading = read(tmp_path)
    assert {s.metadata["Well"] for s in reading.usable} == {"C04", "C05"}
    assert len(channels(reading)) == 2


GUID = "0A1B2C3D-0000-4000-8000-{:012d}"


@pytest.mark.parametrize("folder", ["imgs_{p}w{c}", "{p}-Stain{c}"])
def test_a_folder_for_each_channel_of_a_plate(tmp_path, folder):
    put(
        tmp_path,
        *(
            f"{folder.format(p=p, c=c)}/run_D0{w}_s1_w{c}{GUID.format(100 * p + 10 * w + c)}.tif"
            for p in (31, 32)
            for w in (1, 2)
            for c in (1, 2, 3)
        ),
    )
    reading = read(tmp_path)
    assert len(reading.usable) == 4
    assert set(channels(reading)) == {"w1", "w2", "w3"}
    assert len({(s.metadata["Plate"], s.metadata["Well"]) for s in reading.sites}) == 4


def test_plates_with_one_channel_stay_apart(tmp_path):
    put(
        tmp_path,
        *(f"{p}-b/run_D0{w}_w1{GUID.format(10 * p + w)}.tif" for p in (1, 2) for w in (1, 2)),
    )
    assert {s.metadata["Plate"] for s in read(tmp_path).usable} == {"1-b", "2-b"}


@pytest.mark.parametrize("made", ["overlay", "Composite", "mask", "RGB"])
def test_pictures_made_from_channels_are_no_channels(tmp_path, made):
    put(tmp_path, *(f"B0{w}_{c}.png" for w in (1, 2, 3) for c in (*STAINS, made)))
    reading = read(tmp_path)
    assert set(channels(reading)) == set(STAINS)
    assert f"Made from channels and not used: 3 images ({made})." in reading.notes


@pytest.mark.parametrize("word", ["MAX", "AVG", "sum"])
def test_a_projection_beside_its_stack_is_set_aside(tmp_path, word):
    put(tmp_path, *(f"f{i}_z{z}_{c}.tif" for i in (1, 2) for z in (1, 2) for c in STAINS))
    put(tmp_path, *(f"{word}_f1_{c}.tif" for c in STAINS))
    reading = read(tmp_path)
    assert {site.id for site in reading.usable} == {"f1", "f2"}
    assert reading.status[f"{word}_f1"] == "projection"


def test_projections_alone_are_fields(tmp_path):
    put(tmp_path, *(f"MAX_f{i}_{c}.tif" for i in (1, 2, 3) for c in STAINS))
    assert len(read(tmp_path).usable) == 3


@pytest.mark.parametrize("name", ["Pos{}", "XY{}", "Scene_{}", "series {}", "Tile-{}"])
def test_folders_of_positions_are_no_classes(tmp_path, name):
    put(
        tmp_path,
        *(f"{name.format(f)}/a{i}_{c}.tif" for f in (1, 2) for i in (1, 2) for c in STAINS),
    )
    reading = read(tmp_path)
    assert reading.classes is None
    assert len(reading.usable) == 4


def test_numbered_folders_repeated_in_the_names_of_their_files_are_no_classes(tmp_path):
    put(tmp_path, *(f"lps {f}/lps {f}_{c}.tif" for f in (1, 2, 3) for c in STAINS))
    assert read(tmp_path).classes is None
    put(
        tmp_path / "b",
        *(f"Drug {f}/x{f}{i}_{c}.tif" for f in (1, 2) for i in (1, 2) for c in STAINS),
    )
    assert read(tmp_path / "b").classes.names == ("Drug 1", "Drug 2")


@pytest.mark.parametrize("ending", ["", "_DAPI", "_GFP"])
@pytest.mark.parametrize("name", ["stage{}", "{}uM", "Class {}"])
def test_numbered_class_folders_of_many_fields_stay_classes(tmp_path, name, ending):
    ends = ("_DAPI", "_GFP") if ending == "_GFP" else (ending,)
    folders = [name.format(number) for number in (1, 20, 3)]
    put(tmp_path, *(f"{f}/{f}_{i:03d}{end}.tif" for f in folders for i in range(4) for end in ends))
    reading = read(tmp_path)
    assert set(reading.classes.names) == set(folders)
    assert [site.labels is None for site in reading.sites] == [False] * 12


@given(st.data())
def test_dyes_with_numbers_of_their_own_are_channels(data):
    some = st.sampled_from(["Alexa488", "Alexa568", "Alexa647", "Cy3", "Cy5", "AF405", "AF594"])
    words = data.draw(st.lists(some, min_size=2, max_size=7, unique=True))
    assert sort_of(words) == "stain"


def test_numbers_written_to_the_stain_do_not_make_one_field_of_all(tmp_path):
    put(tmp_path, *(f"img{c}{i}.tif" for i in range(4) for c in STAINS))
    for more in ("imgDAPI4.tif", "imgDAPI5.tif"):
        with pytest.raises(PreflightError, match=r"imgDAPI0\.tif and imgFITC0\.tif are channels"):
            read(tmp_path)
        put(tmp_path, more)
    assert len(by_id(read(tmp_path, layout="single_channel"))) == 10


def test_numbered_targets_behind_the_name_of_a_field_are_no_fields_of_one_channel(tmp_path):
    put(tmp_path, *(f"f{n}_{c}{i}.tif" for n in (1, 2, 3) for c in ("DNA", "ER") for i in (1, 2)))
    with pytest.raises(PreflightError, match=r"f1_DNA1\.tif and f1_ER1\.tif are channels"):
        read(tmp_path)
    assert len(read(tmp_path, layout="single_channel").sites) == 12


@pytest.mark.parametrize(
    "names",
    [
        [f"{c}{i}.tif" for i in range(3) for c in ("Actin", "Tubulin")],
        [f"GFP{i}.tif" for i in range(4)],
    ],
)
def test_numbered_images_that_make_no_pairs_of_dyes_are_fields(tmp_path, names):
    assert len(read(put(tmp_path, *names)).sites) == len(names)


@pytest.mark.parametrize(
    ("values", "sort"),
    [
        (["R", "G", "B"], "word"),
        (["b", "g", "r", "y"], "word"),
        (["A", "B", "C"], "place"),
        (["imgDAPI0", "imgDAPI1", "imgGFP0", "imgGFP1"], "place"),
        (["AF488", "AF568", "Cy3", "Cy5"], "stain"),
        (["s1", "s2", "s3"], "place"),
        (["DAPI1", "DAPI2", "DAPI3", "GFP1", "GFP2"], "place"),
        (["protein1", "protein2", "DAPI"], "stain"),
    ],
)
def test_sorts_of_words(values, sort):
    assert sort_of(values) == sort


def test_a_channel_without_a_name_beside_a_stain_is_no_field(tmp_path):
    put(tmp_path, *(f"cell{i}{s}.tif" for i in range(3) for s in ("", "_DAPI")))
    with pytest.raises(PreflightError, match=r"cell0\.tif and cell0_DAPI\.tif .*cell0_GFP"):
        read(tmp_path)
    assert len(read(tmp_path, layout="single_channel").sites) == 6


def test_names_that_begin_alike_are_fields(tmp_path):
    put(tmp_path, "a.tif", "a_2.tif", "b.tif", "b_left.tif", "c.tif", "c_DAPI.tif")
    assert len(read(tmp_path).sites) == 6
