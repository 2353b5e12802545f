"""Masks whose orientation mark is not that of their image."""

import json

import numpy as np
import pytest
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.store.masks.imported import GivenMasks

LABELS = np.uint8(np.kron([[1, 0, 2], [0, 3, 0]], np.ones((5, 5))))
SITE = Site("A01", "A01", (ChannelFile(Channel("dna"), ("A01_dna.png",)),))


def put(path, turned):
    exif = Image.Exif()
    if turned != 1:
        exif[274] = turned
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(LABELS).save(path, exif=exif)


@pytest.mark.parametrize("image", [1, 3, 6])
@pytest.mark.parametrize("mask", [1, 3, 6])
def test_pixels_are_those_of_the_file_unless_the_marks_differ(tmp_path, image, mask):
    put(tmp_path / "images" / "A01_dna.png", image)
    put(tmp_path / "masks" / "A01_cells.png", mask)
    load = GivenMasks(tmp_path / "masks", [SITE], images=tmp_path / "images")
    if mask in (1, image):
        found = load("A01")
        assert np.array_equal(np.asarray(found.cells), LABELS)
        # A mask that says nothing may have been drawn on either.
        assert found.image_turned == (image if mask == 1 else 1)
        return
    with pytest.raises(InputError, match=f"orientation {mask}") as caught:
        load("A01")
    assert caught.value.code == "mask_turned"


def test_outlines_and_arrays_never_say_how_they_are_turned(tmp_path):
    put(tmp_path / "images" / "A01_dna.png", 6)
    for name in ("npy", "geo"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "npy" / "A01.npy", LABELS)
    ring = [[1, 1], [4, 1], [4, 4], [1, 1]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    cell = {"type": "Feature", "geometry": shape, "properties": {"objectType": "cell"}}
    text = json.dumps({"type": "FeatureCollection", "features": [cell]})
    (tmp_path / "geo" / "A01.geojson").write_text(text)
    for name in ("npy", "geo"):
        load = GivenMasks(tmp_path / name, [SITE], images=tmp_path / "images")
        assert load("A01").image_turned == 6
