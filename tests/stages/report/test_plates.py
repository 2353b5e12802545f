"""Plates of a run: where each has one well, a table in place of maps that hold one circle each."""

import json

import polars as pl

from cellwise.domain.tables import SITES
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
