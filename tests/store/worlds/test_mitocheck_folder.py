"""The embedded cells: complete, lossless, and as their source has them."""

import csv

import numpy as np
import tifffile

from cellwise.store.worlds.mitocheck_folder import read_known_cells

PHENOTYPES = {
    *("ADCCM", "Anaphase", "Apoptosis", "Binuclear", "Elongated", "Folded", "Grape", "Hole"),
    *("Interphase", "Large", "Metaphase", "MetaphaseAlignment", "Polylobed", "Prometaphase"),
    "SmallIrregular",
}


def test_there_are_2404_cells_of_15_phenotypes_and_no_image_twice():
    cells = read_known_cells()
    assert cells.pixels.shape == (2404, 64, 64)
    assert {len(column) for column in cells.columns.values()} == {len(cells)}
    assert set(cells.columns["phenotype"]) == PHENOTYPES
    assert len({image.tobytes() for image in cells.pixels}) == len(cells)


def test_no_plate_lies_in_two_folds():
    cells = read_known_cells()
    pairs = set(zip(cells.columns["plate"], cells.columns["fold"], strict=True))
    assert len(pairs) == len({plate for plate, _ in pairs})
    assert {fold for _, fold in pairs} == {"0", "1", "2", "3"}


def test_the_cells_are_those_of_the_source_pixel_by_pixel(shared_data):
    folder = shared_data / "mitocheck_cells"
    with (folder / "cells.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["phenotype"] != "OutOfFocus"]
    cells = read_known_cells()
    pages = [int(row["page"]) for row in rows]
    assert np.array_equal(cells.pixels, tifffile.imread(folder / "cells.tif")[pages])
    for name, column in cells.columns.items():
        assert list(column) == [row[name] for row in rows]
