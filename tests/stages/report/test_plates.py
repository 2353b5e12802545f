"""Plates of a run: maps, small ones of many plates, and a table where each has one well."""

import json
import re

import polars as pl

from cellwise.domain.tables import SITES
from cellwise.stages.report._plate_chart import small_plate
from cellwise.stages.report.drawing.svg import shades
from cellwise.stages.report.sections import plates
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table


def section(page):
    part = page[page.index('id="plates"') :]
    return " ".join(part[: part.index("</section>")].split())


def test_plates_of_one_well_each_stand_in_a_table(plate_run):
    before = section(plate_run.html())
    assert "Each circle is a well" in before
    path = RunFolder(plate_run.run).sites
    sites = read_table(path, SITES)
    plate = pl.col("site_id").rank("dense").cast(pl.String)
    alone = sites.with_columns(Metadata_Plate=pl.lit("P") + plate, Metadata_Well=pl.lit("B02"))
    write_table(path, SITES, alone)
    part = section(plate_run.html())
    assert "Each plate has one well with images" in part
    assert "<svg" not in part
    assert part.count('<td class="path">B02</td>') == 12
    assert "cells per well" in part
    assert "Edge of the plate" not in part


def test_the_folder_is_named_where_a_problem_is_of_no_file(plate_run):
    reading = RunFolder(plate_run.run).reading
    said = json.loads(reading.read_text())
    noted = {"path": ".", "reason": "2 files are not read.", "remedy": "x", "set_aside": False}
    reading.write_text(json.dumps({**said, "problems": [noted]}))
    assert '<td class="path">the folder</td>' in plate_run.html()


def many(plate_run, number_of_plates=5):
    """The run with its twelve wells on several plates."""
    path = RunFolder(plate_run.run).sites
    sites = read_table(path, SITES)
    number = (pl.col("site_id").rank("dense") - 1) % number_of_plates + 1
    write_table(path, SITES, sites.with_columns(Metadata_Plate=pl.format("P{}", number)))
    return section(plate_run.html(sites=1, gallery=1))


def test_many_plates_are_small_maps_side_by_side(plate_run):
    part = many(plate_run)
    kinds = ["cells per well", "share of cells: inside", "share of cells: Negative"]
    kinds.append("protein, mean brightness")
    folds = part.split("<details")[1:]
    assert len(folds) == len(kinds)
    for fold, kind in zip(folds, kinds, strict=True):
        assert kind in fold
        assert fold.count("<figure>") == 5
        # Every well of every plate is one square.
        assert len(re.findall(r"M\d+ \d+h8v8h-8z", fold)) == 12
    assert [fold.startswith(' class="plates" open') for fold in folds] == [True, True, True, False]
    assert "Edge of the plate" in part


def test_up_to_three_plates_are_large(plate_run):
    part = many(plate_run, number_of_plates=3)
    assert "<details" not in part
    assert part.count("<h3>Plate") == 3


def test_a_square_lies_at_its_well_and_has_the_shade_of_its_amount():
    wells = {(0, 0): 0.0, (2, 11): 1.0, (7, 3): 0.5, (1, 1): 0.51}
    drawn = small_plate(wells, (8, 12), title="x", bounds=(0.0, 1.0))
    found = {
        (int(y) // 10, int(x) // 10): int(step)
        for steps, step in re.findall(r'<path d="([^"]*)" class="s(\d+)"', drawn)
        for x, y in re.findall(r"M(\d+) (\d+)", steps)
    }
    assert found == {(0, 0): 0, (2, 11): 15, (7, 3): 8, (1, 1): 8}


def test_more_stands_out_on_a_light_and_on_a_dark_page():
    def light(colour):
        return sum(int(colour[i : i + 2], 16) for i in (1, 3, 5))

    on_light, on_dark = zip(*shades(), strict=True)
    assert [light(c) for c in on_light] == sorted(map(light, on_light), reverse=True)
    assert [light(c) for c in on_dark] == sorted(map(light, on_dark))
    assert len(set(on_light)) == len(set(on_dark)) == 16


def test_edges_of_many_plates_are_told_as_a_list_that_folds(plate_run, monkeypatch):
    monkeypatch.setattr(
        plates, "_edge_notes", lambda table, name, kinds: [f"{name} a", f"{name} b"]
    )
    part = many(plate_run, number_of_plates=3)
    assert "6 differences between outer and inner wells are larger" in part
    assert part.count("<li>") == 6
    assert "<summary>All" not in part
    part = many(plate_run, number_of_plates=4)
    assert "<summary>All 8</summary>" in part
