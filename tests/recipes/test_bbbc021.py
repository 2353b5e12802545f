"""Real drugged cells of two plates: learned on one, told on the other, in both directions.

The crops of BBBC021 are no fields, so this file lays each field's crops out as tiles of one image;
the masks say which tile is a cell. Every treatment has wells of its own, the same on both plates.
"""

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tifffile import TiffFile

import cellwise
from cellwise.store.run.folder import read_json

pytestmark = [pytest.mark.long, pytest.mark.slow]

SIDE, ACROSS, CELLS = 68, 4, 12
PLATES = ("Week4_27801", "Week4_27821")
CHANNELS = ("dna", "tubulin", "actin")


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory):
    """25 fields of 12 cells each, with masks and a table of labels."""
    source, home = shared_data / "bbbc021_cells", tmp_path_factory.mktemp("bbbc021")
    for name in ("images", "masks"):
        (home / name).mkdir()
    rows = []
    for plate in PLATES:
        with TiffFile(source / f"{plate}.tif") as file:
            crops = file.asarray()
        table = pl.read_csv(source / f"{plate}.csv")
        for number, ((_,), cells) in enumerate(table.group_by("field_guid", maintain_order=True)):
            well, moa = cells["well"][0], cells["moa"][0]
            site = f"{plate}_{well}_s{number}"
            _write(home, site, crops[cells["page"].to_numpy()[:CELLS]])
            rows.append((site, plate, well, moa))
    names = ["site_id", "Plate", "Well", "label"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(home / "labels.csv")
    return home


def _write(home, site, crops):
    """Crops `[cell, channel, y, x]` row by row; tiles without a cell are background."""
    down = -(-CELLS // ACROSS)
    planes = np.zeros((len(CHANNELS), down * SIDE, ACROSS * SIDE), np.uint16)
    mask = np.zeros(planes.shape[1:], np.uint8)
    for n, crop in enumerate(crops):
        y, x = SIDE * (n // ACROSS), SIDE * (n % ACROSS)
        planes[:, y : y + SIDE, x : x + SIDE] = crop
        # Without the rim: cells do not touch.
        mask[y + 2 : y + SIDE - 2, x + 2 : x + SIDE - 2] = n + 1
    for name, plane in zip(CHANNELS, planes, strict=True):
        Image.fromarray(plane).save(home / "images" / f"{site}_{name}.png")
    Image.fromarray(mask).save(home / "masks" / f"{site}.png")


@pytest.fixture(scope="module")
def done(folder):
    """One fold for each plate: what judges a plate has learned from the other one."""
    return cellwise.run(
        folder / "images", labels=folder / "labels.csv", masks=folder / "masks",
        out=folder / "run", recipe="one-class-features", workers=1,
        settings=["split.by=Metadata_Plate", "split.folds=2", "read.roles.dna=nucleus",
                  "segment.implausible=take"],
    )  # fmt: skip


def test_every_field_is_told_by_the_other_plate(done):
    cells = pl.read_parquet(done.path / "predictions.parquet")
    folds = cells.group_by("Metadata_Plate").agg(pl.col("fold").unique())
    assert folds["fold"].list.len().to_list() == [1, 1]
    classes = [n for n in cells.columns if n.startswith("Prob_")]
    fields = cells.group_by("site_id").agg(
        pl.col(classes).mean(), pl.col("Weak_labels").first(), pl.col("Metadata_Plate").first()
    )
    assert len(fields) == 25
    answer = np.array([n[5:] for n in classes])[fields.select(classes).to_numpy().argmax(axis=1)]
    right = answer == fields["Weak_labels"].to_numpy()
    by_plate = {p: int(right[(fields["Metadata_Plate"] == p).to_numpy()].sum()) for p in PLATES}
    assert right.sum() >= 24, by_plate


def test_that_treatment_and_well_are_one_is_said(done):
    said = read_json(done.path / "split.json")["warnings"]
    (tied,) = [text for text in said if "place on the plate" in text]
    assert "DMSO in B02" in tied
    assert "Protein synthesis in B03, B04, B05" in tied
    assert tied in done.path.joinpath("report.html").read_text(encoding="utf-8")
