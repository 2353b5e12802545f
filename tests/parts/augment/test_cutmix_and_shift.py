"""Rectangles of other images with their share of the label; shifts in units of the channel."""

import numpy as np
import pytest
import torch

from cellwise.contracts.augmentation import Panel, bound
from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations

ITEMS = 40


def drawn(seed=0):
    return [np.random.default_rng((seed, k)) for k in range(ITEMS)]


def test_labels_are_shared_as_pixels_are():
    """Each image has a level of its own, so that what came from elsewhere can be counted."""
    levels = torch.arange(1, ITEMS + 1).float()
    batch = levels[:, None, None, None].expand(ITEMS, 2, 16, 12).clone()
    targets = torch.eye(ITEMS)
    change = bound(augmentations.build("cutmix"), Panel((), ()))
    pixels, labels = change(batch, targets, drawn())
    assert torch.allclose(labels.sum(1), torch.ones(ITEMS))
    for k in range(ITEMS):
        seen = torch.bincount(pixels[k, 0].long().ravel() - 1, minlength=ITEMS) / (16 * 12)
        assert torch.allclose(labels[k], seen, atol=1e-6)
        assert torch.equal(pixels[k, 0], pixels[k, 1])
        # What is strange lies in one rectangle.
        y, x = torch.nonzero(pixels[k, 0] != levels[k], as_tuple=True)
        if len(y):
            assert len(y) == int((y.max() - y.min() + 1) * (x.max() - x.min() + 1))
    assert 0.2 < float(labels.diagonal().mean()) < 0.8
    assert torch.equal(batch[3], torch.full((2, 16, 12), 4.0))


def test_some_images_stay_as_they_are():
    change = bound(augmentations.build({"name": "cutmix", "chance": 0.5}), Panel((), ()))
    batch = torch.rand(ITEMS, 1, 8, 8)
    pixels, _ = change(batch, torch.eye(ITEMS), drawn())
    same = sum(torch.equal(a, b) for a, b in zip(batch, pixels, strict=True))
    assert 0.3 * ITEMS < same < 0.8 * ITEMS


def test_a_gain_may_shift_each_channel_in_its_own_deviations():
    batch = torch.rand(ITEMS, 3, 8, 8)
    spec = {"name": "gain", "spread": 0.1, "shift": 0.2}
    found = augmentations.build(spec)(batch, drawn())
    for item, changed, rng in zip(batch, found, drawn(), strict=True):
        factors, levels = np.exp(rng.uniform(-0.1, 0.1, 3)), rng.uniform(-0.2, 0.2, 3)
        for c in range(3):
            wanted = item[c] * factors[c] + levels[c] * item[c].std(correction=0)
            assert torch.allclose(changed[c], wanted.float(), atol=1e-5)


@pytest.mark.parametrize("spec", [{"name": "cutmix", "alpha": 0}, {"name": "gain", "shift": -1}])
def test_odd_settings_are_refused(spec):
    with pytest.raises(BadOption):
        augmentations.build(spec)
