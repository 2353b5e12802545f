"""Augmentations: what they keep, that chance is per item, and exact small cases."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations
from cellwise.parts.views import VIEWS, turn, turn_back


def rngs(seed, count):
    return [np.random.default_rng((seed, item)) for item in range(count)]


@pytest.mark.parametrize(
    "name", ["dihedral", "affine", "gain", "cutout", "coarse_holes", "random_crop", "brightness"]
)
def test_an_item_is_changed_alike_in_any_company(name):
    """Chance belongs to the item's own generator."""
    change = augmentations.build(name)
    batch = torch.rand(5, 2, 12, 12)
    together = change(batch, rngs(1, 5))
    alone = change(batch[3:4], [np.random.default_rng((1, 3))])
    torch.testing.assert_close(together[3:4], alone)
    assert not torch.equal(together, change(batch, rngs(2, 5)))


@given(view=st.sampled_from(VIEWS))
def test_a_view_is_undone(view):
    batch = torch.arange(2 * 9.0).view(1, 2, 3, 3)
    torch.testing.assert_close(turn_back(turn(batch, view), view), batch)


def test_the_eight_views_of_an_uneven_image_are_eight_images():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    assert len({tuple(turn(image, view).flatten().tolist()) for view in VIEWS}) == 8


def test_dihedral_only_moves_pixels():
    batch = torch.rand(20, 1, 6, 6)
    moved = augmentations.build("dihedral")(batch, rngs(0, 20))
    torch.testing.assert_close(moved.flatten(1).sort().values, batch.flatten(1).sort().values)


def test_affine_without_a_range_changes_nothing():
    still = augmentations.build({"name": "affine", "rotate": 0.0, "scale": 0.0, "shift": 0.0})
    batch = torch.rand(2, 3, 10, 10)
    torch.testing.assert_close(still(batch, rngs(0, 2)), batch, rtol=1e-4, atol=1e-5)


def test_affine_leaves_a_disc_in_the_middle_where_it_is():
    """Turning by any angle keeps what is round: a hand-made case for the matrix."""
    y, x = np.mgrid[:33, :33] - 16
    disc = torch.from_numpy((np.hypot(y, x) < 9).astype(np.float32))[None, None].repeat(8, 1, 1, 1)
    turned = augmentations.build({"name": "affine", "scale": 0.0, "shift": 0.0})(disc, rngs(3, 8))
    assert (turned - disc).abs().mean() < 0.02


def test_affine_shows_no_black_corners():
    white = torch.ones(16, 1, 20, 20)
    moved = augmentations.build({"name": "affine", "shift": 0.2})(white, rngs(0, 16))
    torch.testing.assert_close(moved, white)


def test_zoom_is_a_factor_either_way():
    y, x = np.mgrid[:65, :65] - 32
    disc = torch.from_numpy((np.hypot(y, x) < 12).astype(np.float32))[None, None].repeat(
        60, 1, 1, 1
    )
    zoom = augmentations.build({"name": "affine", "rotate": 0.0, "scale": 0.3, "shift": 0.0})
    radius = (zoom(disc, rngs(0, 60)).sum((1, 2, 3)) / np.pi).sqrt() / 12
    assert 0.72 < radius.min() < 0.85
    assert 1.18 < radius.max() < 1.37


def test_gain_multiplies_each_channel_by_one_factor():
    batch = torch.rand(4, 3, 5, 5) + 0.1
    factors = augmentations.build({"name": "gain", "spread": 0.3})(batch, rngs(0, 4)) / batch
    per_channel = factors.flatten(2)
    torch.testing.assert_close(per_channel, per_channel[..., :1].expand_as(per_channel))
    assert 0.74 < factors.min() < factors.max() < 1.35
    assert per_channel[..., 0].unique().numel() == 12


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "gain", "spread": -0.1},
        {"name": "affine", "shift": 2.0},
        {"name": "affine", "scale": -1.0},
    ],
)
def test_impossible_ranges_are_refused(spec):
    with pytest.raises(BadOption):
        augmentations.build(spec)
