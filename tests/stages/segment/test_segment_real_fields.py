"""Nuclei of hand-annotated fields: F1 at IoU 0.5 with one setting for both sets.

The settings were chosen on the even-numbered images (in order of name); these are the odd ones.
"""

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.stages.segment import segmenters


def plane_of(path):
    pixels = tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))
    return (pixels / np.float32(np.iinfo(pixels.dtype).max)).astype(np.float32)


def matched(truth, found):
    """True pairs (IoU over 0.5 makes them unique), true nuclei, found nuclei; specks left out."""
    width = int(found.max()) + 1
    joint = np.bincount(
        (truth.astype(np.int64) * width + found).ravel(),
        minlength=(int(truth.max()) + 1) * width,
    ).reshape(-1, width)
    true_area, found_area = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    good = joint > 0.5 * (true_area + found_area - joint)
    counted = true_area[1:, 0] > 20
    specks_found = good[1:, 1:][~counted].any(axis=0).sum()
    found_count = np.count_nonzero(found_area[0, 1:]) - specks_found
    return good[1:, 1:][counted].any(axis=1).sum(), counted.sum(), found_count


@pytest.mark.parametrize(
    ("name", "least", "nuclei"),
    [("bbbc039_nuclei", 0.955, 770), ("dsb2018_fluorescence", 0.81, 600)],
)
def test_nuclei_of_annotated_fields(shared_data, name, least, nuclei):
    part = segmenters.build("watershed")
    totals = np.zeros(3, int)
    for path in sorted((shared_data / name / "images").iterdir())[1::2]:
        truth = np.asarray(Image.open(shared_data / name / "labels" / f"{path.stem}.png"))
        field = Field(path.stem, plane_of(path)[None], (Channel("dna", "nucleus"),))
        totals += matched(truth, part(field).nuclei)
    both, true, found = (int(total) for total in totals)
    assert true > nuclei
    assert 2 * both / (true + found) >= least


@pytest.mark.parametrize("well", ["A01", "A12"])
def test_cells_stay_whole_whether_the_protein_is_in_the_cytoplasm_or_the_nucleus(shared_data, well):
    folder = shared_data / "bbbc013_translocation" / "images"
    planes = np.stack([plane_of(folder / f"{well}_{name}.png") for name in ("dna", "gfp")])
    field = Field(well, planes, (Channel("dna", "nucleus"), Channel("gfp", "protein")))
    masks = segmenters.build("watershed")(field)
    count = int(masks.cells.max())
    assert 150 < count < 450
    cells, nuclei = (np.bincount(m.ravel())[1:] for m in (masks.cells, masks.nuclei))
    assert np.median(cells / nuclei) > 2
    assert np.mean(cells > 1.3 * nuclei) > 0.95
