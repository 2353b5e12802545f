"""Augmentations that know what channels show: by role in any order, with the label they cause."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.augmentation import Panel, bound
from cellwise.domain.channels import Channel
from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations

ROLES = {"red": "microtubule", "green": "protein", "blue": "nucleus", "yellow": "er"}
CLASSES = ("Nucleoplasm", "Endoplasmic reticulum", "Microtubules")
ORDERS = st.permutations(list(ROLES))


def panel(order=tuple(ROLES), classes=CLASSES):
    return Panel(tuple(Channel(name, ROLES[name]) for name in order), classes)


def rngs(seed, count):
    return [np.random.default_rng((seed, item)) for item in range(count)]


def fields(order, count=40):
    """Each channel has a level of its own, so that it is known wherever it goes."""
    levels = {"red": 0.2, "green": 0.9, "blue": 0.5, "yellow": 0.7}
    pixels = torch.tensor([levels[name] for name in order])[None, :, None, None]
    return pixels.expand(count, 4, 5, 5).clone(), torch.tensor([[1.0, 0, 0]]).repeat(count, 1)


@settings(max_examples=12)
@given(order=ORDERS, seed=st.integers(0, 99))
def test_a_dimmed_protein_has_no_label_in_any_order_of_channels(order, seed):
    pixels, targets = fields(order)
    change = bound(augmentations.build({"name": "dim_protein", "chance": 0.5}), panel(order))
    seen, labels = change(pixels, targets, rngs(seed, 40))
    green = order.index("green")
    dimmed = labels.sum(1) == 0
    assert 5 < int(dimmed.sum()) < 35
    assert (seen[dimmed, green] <= 0.9 * 0.1 + 1e-6).all()
    torch.testing.assert_close(seen[~dimmed], pixels[~dimmed])
    others = [place for place in range(4) if place != green]
    torch.testing.assert_close(seen[:, others], pixels[:, others])
    assert (labels[~dimmed] == targets[~dimmed]).all()


@settings(max_examples=12)
@given(order=ORDERS, seed=st.integers(0, 99))
def test_a_swapped_landmark_is_its_own_class_in_any_order_of_channels(order, seed):
    pixels, targets = fields(order)
    change = bound(augmentations.build({"name": "swap_landmark", "chance": 0.8}), panel(order))
    seen, labels = change(pixels, targets, rngs(seed, 40))
    green = seen[:, order.index("green"), 0, 0]
    for level, label in ((0.2, "Microtubules"), (0.7, "Endoplasmic reticulum")):
        own = labels[:, CLASSES.index(label)] == 1
        assert own.any()
        assert (labels[own].sum(1) == 1).all()
        assert ((green[own] >= 0.6 * level - 1e-6) & (green[own] <= level + 1e-6)).all()
    kept = labels[:, 0] == 1
    torch.testing.assert_close(green[kept], torch.full_like(green[kept], 0.9))


def test_other_landmarks_and_classes_can_be_named():
    spec = {"name": "swap_landmark", "chance": 1.0, "landmarks": {"blue": "Nucleoplasm"}}
    pixels, targets = fields(tuple(ROLES), 3)
    seen, labels = bound(augmentations.build(spec), panel())(pixels, targets, rngs(0, 3))
    assert (labels == torch.tensor([1.0, 0, 0])).all()
    assert (seen[:, 1] <= 0.5).all()


@given(seed=st.integers(0, 99))
def test_a_lost_channel_is_never_the_protein_and_labels_stay(seed):
    pixels, targets = fields(tuple(ROLES), 20)
    change = bound(augmentations.build({"name": "drop_channel", "chance": 1.0}), panel())
    seen, labels = change(pixels, targets, rngs(seed, 20))
    lost = (seen == 0).flatten(2).all(2)
    assert (lost.sum(1) == 1).all()
    assert not lost[:, 1].any()
    assert torch.equal(labels, targets)


def test_a_plain_augmentation_is_bound_too():
    pixels, targets = fields(tuple(ROLES), 4)
    seen, labels = bound(augmentations.build("dihedral"), panel())(pixels, targets, rngs(0, 4))
    assert seen.shape == pixels.shape
    assert labels is targets


@pytest.mark.parametrize(
    ("spec", "given", "word"),
    [
        ("dim_protein", Panel((Channel("DNA", "nucleus"),), CLASSES), "protein"),
        ("swap_landmark", panel(("red", "green", "blue")), "er"),
        ("swap_landmark", panel(classes=("Golgi",)), "Microtubules"),
        ({"name": "drop_channel", "keep": ["protien"]}, panel(), "protien"),
        ("drop_channel", Panel((Channel("a", "protein"),), CLASSES), "no channel"),
    ],
)
def test_a_panel_that_does_not_fit_is_refused_by_name(spec, given, word):
    with pytest.raises(BadOption, match=word):
        bound(augmentations.build(spec), given)


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "dim_protein", "most": 2.0},
        {"name": "swap_landmark", "least": -1.0},
        {"name": "drop_channel", "chance": 7.0},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(spec):
    with pytest.raises(BadOption):
        augmentations.build(spec)
