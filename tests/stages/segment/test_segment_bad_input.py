"""Fields that hold nothing, everything or nonsense: a well-formed result or a named error."""

import numpy as np
import pytest
from tests.stages.segment.test_segment_watershed import discs, field, well_formed

from cellwise.errors import InputError
from cellwise.stages.segment import segmenters
from cellwise.store.network_weights import find_network, read_network

SIDE = 96
RNG = np.random.default_rng(3)
Y, X = np.mgrid[:SIDE, :SIDE]


def giant():
    """One blob that leaves only the corners free."""
    return (np.hypot(Y - 48, X - 48) < 55).astype(np.float32) * 0.7 + 0.02


NONSENSE = {
    "nothing but noise": RNG.normal(0.1, 0.01, (SIDE, SIDE)),
    "black": np.zeros((SIDE, SIDE)),
    "white": np.ones((SIDE, SIDE)),
    "all foreground": 0.7 + RNG.normal(0, 0.05, (SIDE, SIDE)),
    "every pixel black or white": RNG.integers(0, 2, (SIDE, SIDE)),
    "one giant blob": giant(),
    "one bright pixel": (Y == 40) & (X == 40),
    "a ramp": Y / SIDE,
    "stripes": (X // 6) % 2,
    "a frame": (Y < 2) | (Y > 93) | (X < 2) | (X > 93),
    "tiny values": discs((SIDE, SIDE), [(40, 40)], 10) * 1e-30,
    "huge values": discs((SIDE, SIDE), [(40, 40)], 10) * 1e30,
    "negative values": discs((SIDE, SIDE), [(40, 40)], 10) - 5,
}


def build(name):
    """A segmenter with the weights that ship."""
    own = {"read": read_weights, "threads": 1} if name == "small_unet" else {}
    return segmenters.build({"name": name, **own})


def read_weights(name):
    return read_network(find_network(name))


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.parametrize("name", ["watershed", "grid", "small_unet"])
def test_nonsense_gives_a_well_formed_result(name, what):
    plane = NONSENSE[what].astype(np.float32)
    masks = build(name)(field(plane, plane[::-1].copy()))
    assert masks.cells.shape == plane.shape
    well_formed(masks)


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 1), (2, 2), (3, 200)])
@pytest.mark.parametrize("name", ["watershed", "grid", "small_unet"])
def test_images_a_pixel_wide_give_masks_of_their_size(name, shape):
    plane = np.random.default_rng(0).random(shape).astype(np.float32)
    masks = build(name)(field(plane, plane))
    assert masks.cells.shape == shape
    well_formed(masks)


def test_what_holds_no_nucleus_holds_no_cell():
    part = segmenters.build("watershed")
    body = discs((SIDE, SIDE), [(40, 40)], 20)
    for what in ("nothing but noise", "black", "white"):
        assert well_formed(part(field(NONSENSE[what].astype(np.float32), body))) == 0


def test_a_giant_blob_is_one_cell_and_not_many():
    masks = segmenters.build("watershed")(field(giant(), giant()))
    assert well_formed(masks) <= 1


@pytest.mark.parametrize("name", ["watershed", "small_unet"])
def test_saturated_nuclei_are_found_as_they_are(name):
    centres = [(24, 24), (24, 70), (70, 48)]
    plane = np.clip(discs((SIDE, SIDE), centres, 10) * 4, 0, 1)
    masks = build(name)(field(plane))
    assert well_formed(masks) == 3
    areas = np.bincount(masks.nuclei.ravel())[1:]
    assert np.allclose(areas, np.pi * 10**2, rtol=0.3)


@pytest.mark.parametrize("name", ["watershed", "small_unet"])
@pytest.mark.parametrize("brighter", [5, 20])
def test_one_nucleus_that_outshines_the_others_hides_none(name, brighter):
    centres = [(y, x) for y in range(16, 160, 32) for x in range(16, 160, 32)]
    quiet = {"level": 0.035, "ground": 0.005, "noise": 0.0005}
    plane = discs((160, 160), centres, 9, **quiet)
    plane += (brighter - 1) * (discs((160, 160), [centres[12]], 9, **quiet) - 0.005)
    assert well_formed(build(name)(field(plane))) == len(centres)


def test_a_cytoplasm_channel_without_any_signal_leaves_a_rim():
    nuclei = discs((SIDE, SIDE), [(24, 24), (70, 48)], 10)
    dark = np.zeros((SIDE, SIDE), np.float32)
    masks = segmenters.build("watershed")(field(nuclei, dark))
    assert well_formed(masks) == 2
    assert np.count_nonzero(masks.cells) > 1.2 * np.count_nonzero(masks.nuclei)


def test_one_dark_cytoplasm_channel_of_two_does_not_hide_the_other():
    nuclei = discs((SIDE, SIDE), [(48, 48)], 10)
    body = discs((SIDE, SIDE), [(48, 48)], 22, level=0.4)
    dark = np.zeros((SIDE, SIDE), np.float32)
    one = segmenters.build("watershed")(field(nuclei, body, dark))
    assert np.count_nonzero(one.cells) == pytest.approx(np.pi * 22**2, rel=0.2)


def test_a_missing_nucleus_channel_is_named():
    plane = discs((SIDE, SIDE), [(48, 48)], 10)
    with pytest.raises(InputError) as caught:
        segmenters.build("watershed")(field(plane, plane, roles=("er", "actin")))
    assert caught.value.code == "channel_missing"
