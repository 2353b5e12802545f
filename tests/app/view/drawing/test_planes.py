"""Fields as they are shown: channels one by one, coarser copies, and what stands in."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.app.view.conftest import write_run

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.drawing import planes as planes_module
from cellwise.app.view.drawing.planes import Planes, _levels
from cellwise.app.view.drawing.tiles import Tiles
from cellwise.app.view.drawing.tinting import asked_channels
from cellwise.app.view.shown import Drawn
from cellwise.parts.drawing.images import blend, stretch


def test_a_channel_is_what_its_file_holds(drawn, shown_run):
    site = drawn.opened.fields.place("plate_B03")
    for place, name in enumerate(("dna", "gfp")):
        stored = np.asarray(Image.open(shown_run.images / f"B03_{name}.png"))
        shown = drawn.planes.channel(site, place)
        assert shown.source == "image"
        np.testing.assert_array_equal(shown.levels[0], np.rint(stored / 255 * 65535))


def test_coarser_copies_are_means_and_end_at_one_tile():
    plane = np.random.default_rng(0).integers(0, 65535, (1100, 2050)).astype(np.uint16)
    levels = list(_levels(plane))
    assert [level.shape for level in levels] == [(1100, 2050), (550, 1025), (275, 513), (138, 257)]
    expected = plane.reshape(550, 2, 1025, 2).mean((1, 3))
    assert np.abs(levels[1].astype(float) - expected).max() <= 1


def test_tiles_make_up_the_field(tmp_path, shown_run, monkeypatch):
    monkeypatch.setattr("cellwise.app.view.drawing.tiles.TILE", 64)
    opened = open_run(shown_run.run)
    planes = Planes(opened)
    tiles = Tiles(opened, planes)
    shown = asked_channels("0:0:0.8,1:0.1:0.7", opened.channels, [(0, 1)] * 2)
    parts = [
        [
            np.asarray(Image.open(io.BytesIO(tiles.tile(2, 0, (row, column), shown))))
            for column in range(3)
        ]
        for row in range(3)
    ]
    found = np.concatenate([np.concatenate(row, axis=1) for row in parts])
    values = np.stack([one.levels[0] for one in planes.channels(2, [0, 1])]) / np.float32(65535)
    levels = stretch(values.astype(np.float32), [(0, 0.8), (0.1, 0.7)])
    expected = blend(levels, [one.rgb for one in shown])
    assert found.shape == expected.shape == (160, 160, 3)
    assert np.abs(found.astype(float) - expected).mean() < 6
    assert tiles.tile(2, 0, (3, 0), shown) is None
    assert tiles.tile(2, 1, (0, 0), shown) is None


def test_a_small_image_shows_the_whole_field(drawn):
    shown = asked_channels(None, drawn.opened.channels, drawn.bounds())
    assert Image.open(io.BytesIO(drawn.tiles.small(0, shown))).size == (160, 160)
    # A decoded field is black where no channel is shown.
    assert not np.asarray(Image.open(io.BytesIO(drawn.tiles.small(0, [])))).any()


@pytest.fixture
def moved(tmp_path):
    """A run whose images of one well are gone."""
    made = write_run(tmp_path)
    (made.images / "A02_gfp.png").unlink()
    return Drawn(open_run(made.run)), made


def test_cells_stand_in_for_an_image_that_is_gone(moved):
    drawn, _ = moved
    site = drawn.opened.fields.place("plate_A02")
    shown = drawn.planes.channel(site, 1)
    assert shown.source == "crops"
    assert "A02_gfp.png" in drawn.planes.trouble(site)
    plane = shown.levels[0]
    assert plane.shape == (160, 160)
    for row in range(*drawn.opened.cells.of_site(site).indices(108)):
        top, left, side = drawn.opened.windows(np.array([row]))[0]
        crop = drawn.opened.store.read(np.array([row]))[0, 1]
        y, x = int(top + side / 2), int(left + side / 2)
        near = plane[y - 4 : y + 4, x - 4 : x + 4].mean() / 65535
        assert near == pytest.approx(crop[20:28, 20:28].mean(), abs=0.08)
    assert drawn.planes.channel(site, 0).source == "image"
    assert drawn.planes.trouble(drawn.opened.fields.place("plate_A01")) == ""


def test_without_images_and_cells_a_field_is_black(moved):
    _, made = moved
    for path in (made.run / "crops").iterdir():
        path.unlink()
    again = Drawn(open_run(made.run))
    plane = again.planes.channel(again.opened.fields.place("plate_A02"), 1).levels[0]
    assert plane.shape == (160, 160)
    assert not plane.any()


def test_a_contrast_is_found_where_no_crop_tells_it(moved):
    _, made = moved
    for path in (made.run / "crops").iterdir():
        path.unlink()
    again = Drawn(open_run(made.run))
    for dark, bright in again.bounds():
        assert 0 <= dark < bright <= 1
    dark, bright = again.planes.own_bounds(0)[1]
    assert 0 < dark < bright < 1


def test_what_is_kept_of_planes_has_a_limit(shown_run, monkeypatch):
    monkeypatch.setattr(planes_module, "_BYTES_KEPT", 160 * 160 * 2 * 3.5)
    planes = Planes(open_run(shown_run.run))
    for site in range(6):
        planes.channels(site, [0, 1])
    assert len(planes._kept) == 3
