"""One draw for several changes: never two, as often as said, in the folds that are named."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.contracts.augmentation import Panel, bound
from cellwise.domain.channels import Channel
from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations

ROLES = {"red": "microtubule", "green": "protein", "blue": "nucleus", "yellow": "er"}
CLASSES = ("Nucleoplasm", "Endoplasmic reticulum", "Microtubules")
SPECIAL = [
    {"name": "dim_protein", "chance": 1.0},
    {"name": "swap_landmark", "chance": 1.0},
    {"name": "gain", "least": 0.6, "most": 1.1},
]


def panel(fold=None):
    return Panel(tuple(Channel(name, role) for name, role in ROLES.items()), CLASSES, fold)


def rngs(seed, count):
    return [np.random.default_rng((seed, item)) for item in range(count)]


def seen(shares, fold=None, count=2000, **options):
    """What became of each image: 0 dimmed, 1 swapped, 2 brightness, 3 nothing, 9 several."""
    spec = {"name": "one_of", "of": SPECIAL, "shares": shares, **options}
    levels = torch.tensor([0.2, 0.9, 0.5, 0.7])[None, :, None, None]
    pixels, targets = levels.expand(count, 4, 3, 3).clone(), torch.tensor([[1.0, 0, 0]])
    changed, labels = bound(augmentations.build(spec), panel(fold))(
        pixels, targets.repeat(count, 1), rngs(0, count)
    )
    others = (changed != pixels)[:, [0, 2, 3]].flatten(1).any(1)
    dimmed, swapped = labels.sum(1) == 0, labels[:, 1:].sum(1) > 0
    kinds = torch.stack([dimmed, swapped, others]).int()
    result = torch.where(kinds.sum(0) == 0, 3, kinds.argmax(0))
    return torch.where(kinds.sum(0) > 1, 9, result)


def test_an_image_gets_one_change_or_none_as_often_as_said():
    found = torch.bincount(seen([0.3, 0.2, 0.1]), minlength=10)[:10] / 2000
    expected = [0.3, 0.2, 0.1, 0.4, 0, 0, 0, 0, 0, 0]
    # Four standard errors of 2,000 draws.
    np.testing.assert_allclose(found.numpy(), expected, atol=4 * np.sqrt(0.25 / 2000))
    assert not found[9]


@given(fold=st.sampled_from([None, 0, 1, 2, 3, 4]))
def test_a_change_of_some_folds_leaves_the_images_of_others_alone(fold):
    kinds = seen([0.3, 0.3, 0.3], fold, 300, folds={1: [2, 4], 2: [3, 4]})
    there = set(kinds.tolist())
    assert (1 in there) == (fold in (2, 4))
    assert (2 in there) == (fold in (3, 4))
    assert 0 in there
    # The draw of a change that this fold lacks is not handed to another.
    assert abs((kinds == 0).float().mean() - 0.3) < 0.12


@pytest.mark.parametrize(
    "options",
    [
        {"of": ["gain"], "shares": [0.4, 0.4]},
        {"of": ["gain", "dihedral"], "shares": [0.6, 0.6]},
        {"of": ["gain"], "shares": [-0.1]},
        {"of": [], "shares": []},
        {"of": ["gain"], "shares": [0.4], "folds": {1: [0]}},
    ],
    ids=str,
)
def test_shares_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption):
        augmentations.build({"name": "one_of", **options})
