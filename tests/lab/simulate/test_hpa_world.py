"""`--world hpa`: read as the challenge's folder, its truth whole, its bytes the seed's."""

import csv
import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cellwise.errors import FormatError, UsageError
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.hpa import left_out, pixel_size_of
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.lab.simulate.world_checks import check_world
from cellwise.stages.read._understand import understand
from cellwise.stages.read.spec import Options
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.truth import read_truth

SITES = 12


def make(out, **changes):
    settings = {"seed": 3, "size": 128, "sites": SITES, **changes}
    request = SimulateRequest(out=out, world="hpa", **settings)
    return simulate_world(request, lambda done, total, note: None)


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make(tmp_path_factory.mktemp("hpa") / "world").folder


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_the_same_words_give_the_same_bytes_for_one_worker_and_for_two(world, tmp_path):
    assert bytes_of(make(tmp_path / "two", workers=2).folder) == bytes_of(world)


def test_another_seed_is_another_world(world, tmp_path):
    other = bytes_of(make(tmp_path / "other", seed=4, sites=2).folder)
    assert not set(other.values()) & {
        digest for name, digest in bytes_of(world).items() if name.endswith(".png")
    }


def test_the_folder_is_that_of_the_challenge(world):
    train, test = rows_of(world / "train.csv"), rows_of(world / "sample_submission.csv")
    assert list(train[0]) == ["ID", "Label", "Sample"]
    assert list(test[0]) == ["ID", "ImageWidth", "ImageHeight", "PredictionString"]
    assert {row["PredictionString"] for row in test} == {"0 1 eNoLCAgIMAEABJkBdQ=="}
    assert {(row["ImageWidth"], row["ImageHeight"]) for row in test} == {("128", "128")}
    assert len(train) == len(test) == SITES // 2
    for part, rows in (("train", train), ("test", test)):
        names = {f"{row['ID']}_{c}.png" for row in rows for c in ("red", "green", "blue", "yellow")}
        assert {path.name for path in (world / part).iterdir()} == names


def test_images_are_grey_and_of_8_bit(world):
    for path in sorted((world / "train").iterdir())[:4]:
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (128, 128))
            assert np.asarray(image).std() > 0


def test_the_reader_understands_it_with_labels_parts_and_samples(world):
    reading = understand(world, Options())
    assert reading.layout == "hpa"
    assert reading.class_list == "hpa19"
    assert not reading.problems
    truth = read_truth(world)
    given = dict(truth.sites.select("site_id", "given").iter_rows())
    group = dict(truth.sites.select("site_id", "group").iter_rows())
    for site in reading.usable:
        if site.part == "train":
            assert list(site.labels) == given[site.id]
            assert site.metadata["Sample"] == group[site.id]
        else:
            assert site.labels is None
    parts = [site.part for site in reading.usable]
    assert (parts.count("train"), parts.count("test")) == (6, 6)


def test_the_truth_has_a_row_for_every_cell_of_the_masks(world):
    truth = read_truth(world)
    names = class_list("hpa19").names
    assert list(truth.cells.columns[:4]) == ["site_id", "cell_id", "classes", "ignored"]
    assert {"group", "mitotic", "part"} <= set(truth.cells.columns)
    assert len(truth.site_ids()) == SITES
    for site_id in truth.site_ids():
        masks, own = truth.masks(site_id), truth.cells.filter(pl.col("site_id") == site_id)
        assert set(np.unique(masks.cells)) - {0} == set(own["cell_id"])
        assert set(np.unique(masks.nuclei)) <= set(np.unique(masks.cells))
        for cell_id, ignored in own.select("cell_id", "ignored").iter_rows():
            assert ignored or (masks.nuclei == cell_id).any()
    shown = {name for names_ in truth.cells["classes"].to_list() for name in names_}
    assert shown <= set(names[:-1])


def test_no_protein_is_in_both_parts(world):
    sites = read_truth(world).sites
    assert sites.group_by("group").agg(pl.col("part").n_unique())["part"].max() == 1


def test_the_world_says_how_it_was_made_and_nothing_of_where_or_when(world):
    text = (world / "truth" / "world.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["format"] == 1
    assert content["world"] == "hpa"
    assert (content["severity"], content["scv"]) == ("default", 0.08)
    assert (content["seed"], content["sites"], content["size"]) == (3, SITES, 128)
    assert content["pixel_size"] == 0.32
    assert content["classes"] == list(class_list("hpa19").names)
    assert content["left_out"] == []
    assert str(world) not in text


def test_sixteen_bits_are_written_and_read_when_the_severity_says_so(tmp_path, monkeypatch):
    from cellwise.lab.simulate import hpa
    from cellwise.lab.synth.severity import severity_named

    deep = replace(severity_named("easy"), bits=16)
    monkeypatch.setattr(hpa, "severity_named", lambda name, seed: deep)
    folder = make(tmp_path / "deep", sites=2).folder
    path = next((folder / "train").glob("*_blue.png"))
    with Image.open(path) as image:
        assert np.asarray(image).max() > 255
        assert image.mode.startswith("I;16")


def test_the_same_request_again_finds_the_world_there(world):
    before = bytes_of(world)
    again = make(world)
    assert again.found
    assert bytes_of(world) == before
    assert make(world, severity="default").found


@pytest.mark.parametrize("changes", [{"seed": 9}, {"sites": 14}, {"severity": "hard"}])
def test_another_request_for_the_same_folder_is_refused(world, changes):
    with pytest.raises(UsageError, match="holds a world of other settings"):
        make(world, **changes)


def test_a_folder_with_something_else_is_refused_and_untouched(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    assert make(tmp_path / "empty", sites=2).counts["fields"] == 2


def test_nothing_is_left_of_a_world_that_failed(tmp_path, monkeypatch):
    from cellwise.lab.simulate import hpa

    def broken(plan):
        raise RuntimeError("no light")

    monkeypatch.setattr(hpa, "render_field", broken)
    with pytest.raises(RuntimeError):
        make(tmp_path / "world", sites=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 64}, "--size of world hpa is 128 to 4096"),
        ({"size": 5000}, "--size of world hpa is 128 to 4096"),
        ({"sites": 1}, "--sites of world hpa is 2 or more"),
        ({"sites": 0}, "--sites is a whole number from 1, not 0"),
        ({"seed": -1}, "--seed"),
        ({"scv": 1.5}, "--scv is a share from 0 to 1"),
        ({"scv": float("nan")}, "--scv"),
        ({"test_share": 1.0}, "--test-share"),
        ({"min_positives": -1}, "--min-positives"),
        ({"severity": "hart"}, "--severity is one of easy, default, hard"),
        ({"scv": 0.5, "severity": "hard"}, "--scv means nothing to --severity hard"),
        ({"classes": 64}, "--classes means nothing to --world hpa"),
        ({"variant": "wells"}, "--variant means nothing to --world hpa"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_any_work(tmp_path, changes, said):
    with pytest.raises(UsageError, match=said):
        make(tmp_path / "world", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("sites", "share", "train"), [(4, 0.25, 3), (4, 0.01, 3), (3, 0.9, 1)])
def test_the_test_share_is_kept_and_both_parts_have_a_field(tmp_path, sites, share, train):
    folder = make(tmp_path / "world", sites=sites, test_share=share).folder
    assert len(rows_of(folder / "train.csv")) == train
    assert len(rows_of(folder / "sample_submission.csv")) == sites - train


def test_large_fields_are_finer_not_wider():
    assert [pixel_size_of(size) for size in (256, 512, 1024, 2048)] == [0.32, 0.32, 0.16, 0.08]


def test_classes_with_few_test_cells_or_of_few_fields_are_left_out():
    def cells(name, *, each, fields, part="test", ignored=False):
        return [
            {"site_id": f"{name}{f}", "part": part, "classes": [name] if name else [], **flags}
            for f in range(fields)
            for flags in [{"ignored": ignored}] * each
        ]

    rows = [
        *cells("A", each=4, fields=8),
        *cells("B", each=8, fields=7),
        *cells("C", each=3, fields=8),
        *cells("D", each=9, fields=9, part="train"),
        *cells("E", each=9, fields=9, ignored=True),
        *cells("", each=4, fields=8),
    ]
    names = ("A", "B", "C", "D", "E", "Negative")
    assert left_out(rows, names, least=30) == ["B", "C", "D", "E"]
    assert left_out(rows, names, least=24) == ["B", "D", "E"]
    assert left_out(rows, names, least=0) == []


def test_a_world_passes_its_own_checks(world):
    failed = [check.name for check in check_world(world) if not check.ok]
    assert failed == []


@pytest.mark.parametrize("fault", ["image", "label", "mask", "protein"])
def test_the_checks_of_a_world_can_fail(tmp_path, fault):
    folder = make(tmp_path / "world", sites=4).folder
    if fault == "image":
        next((folder / "test").iterdir()).unlink()
        said = "images missing"
    elif fault == "label":
        table = folder / "train.csv"
        rows = rows_of(table)
        rows[0]["Label"] = "18" if rows[0]["Label"] != "18" else "0"
        pl.DataFrame(rows).write_csv(table)
        said = "labels unlike the truth's given ones"
    elif fault == "mask":
        cells = folder / "truth" / "cells.csv"
        lines = cells.read_text().splitlines()
        cells.write_text("\n".join([lines[0], *lines[2:]]) + "\n")
        said = "fields whose masks and rows differ"
    else:
        sites = folder / "truth" / "sites.csv"
        frame = pl.read_csv(sites, infer_schema=False)
        frame.with_columns(pl.lit("same").alias("group")).write_csv(sites)
        said = "proteins in both parts"
    assert [check.name for check in check_world(folder) if not check.ok] == [said]


def test_a_folder_that_is_no_such_world_is_refused(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "world.json").write_text('{"world": "rxrx1"}')
    with pytest.raises(FormatError, match="no data set made by"):
        check_world(tmp_path)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    out = tmp_path_factory.mktemp("foreign") / "world"
    return make(out, severity="foreign", sites=4, seed=2).folder


def test_a_foreign_world_is_whole_has_its_card_and_takes_no_scv(foreign, tmp_path):
    card = read_truth(foreign).world["foreign"]
    assert card["part"] == "development"
    assert card["drawn"]["seed"] == 2
    assert [check.name for check in check_world(foreign) if not check.ok] == []
    with pytest.raises(UsageError, match="--scv means nothing to --severity foreign"):
        make(tmp_path / "none", severity="foreign", scv=0.5)


def test_a_card_that_is_not_the_familys_is_found(foreign, tmp_path):
    shutil.copytree(foreign, tmp_path / "world")
    path = tmp_path / "world" / "truth" / "world.json"
    content = json.loads(path.read_text())
    content["foreign"]["drawn"]["silent"] += 0.1
    path.write_text(json.dumps(content))
    assert [check.name for check in check_world(tmp_path / "world") if not check.ok] == [
        "parts of the card unlike the family's"
    ]
