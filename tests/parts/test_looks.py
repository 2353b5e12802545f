"""Ways to look at an image: which views a word stands for, and where a moved pixel goes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.parts.looks import looks_of, moved
from cellwise.parts.predictor import combine, views_of
from cellwise.parts.views import VIEWS, turn


@given(count=st.integers(1, 8), seed=st.integers(0, 9999))
def test_some_of_eight_are_that_many_and_follow_from_the_seed(count, seed):
    chosen = views_of(f"{count} of 8", 1, seed)
    assert len(set(chosen)) == count
    assert set(chosen) <= set(VIEWS)
    assert chosen == views_of(f"{count} of 8", 16, seed)


def test_every_view_has_its_turn_under_other_seeds():
    drawn = np.array([views_of("3 of 8", 1, seed) for seed in range(400)]).ravel()
    shares = np.bincount(drawn, minlength=8) / 400
    # Four standard errors of 400 draws with chance 3/8.
    np.testing.assert_allclose(shares, 3 / 8, atol=4 * np.sqrt(0.24 / 400))


def test_views_can_be_named_by_number_in_any_order():
    assert views_of([6, 0, 4], 1) == (6, 0, 4)
    image = torch.rand(1, 1, 5, 5)
    for look, view in zip(looks_of([6, 0, 4], 1), (6, 0, 4), strict=True):
        torch.testing.assert_close(look(image), turn(image, view))


@settings(max_examples=25)
@given(zoom=st.floats(0.6, 1.4), down=st.floats(-0.25, 0.25), right=st.floats(-0.25, 0.15))
def test_a_moved_spot_is_where_arithmetic_puts_it(zoom, down, right):
    side, at = 65, (30.0, 38.0)
    rows, columns = torch.meshgrid(torch.arange(65.0), torch.arange(65.0), indexing="ij")
    spot = torch.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / 18)[None, None]
    found = moved(spot, zoom, (down, right))[0, 0]
    expected = [
        32 + zoom * (place - 32) + side * by for place, by in zip(at, (down, right), strict=True)
    ]
    weight = found / found.sum()
    assert (weight * rows).sum().item() == pytest.approx(expected[0], abs=0.1)
    assert (weight * columns).sum().item() == pytest.approx(expected[1], abs=0.1)
    # The area of the spot grows with the square of the zoom.
    assert (found.sum() / spot.sum()).item() == pytest.approx(zoom**2, rel=0.03)


def test_the_first_look_is_never_moved_and_the_others_stay_in_range():
    image = torch.zeros(1, 1, 41, 41)
    image[..., 15:26, 15:26] = 1
    first, *others = looks_of("dihedral", 1, zoom=0.4, shift=0.1, seed=3)
    assert torch.equal(first(image), image)
    areas = [look(image).sum().item() / 121 for look in others]
    assert all(0.6**2 * 0.98 <= area <= 1.4**2 * 1.02 for area in areas)
    assert len({round(area, 3) for area in areas}) == 7


def test_the_mean_of_probabilities_is_kept_as_its_logit():
    views = [torch.tensor([[[4.0]], [[-1.0]]]), torch.tensor([[[0.5]]])]
    chances = [1 / (1 + np.exp(-value)) for value in (4.0, -1.0, 0.5)]
    found = combine(views, "probabilities")
    assert found.logits.sigmoid().item() == pytest.approx(np.mean(chances), abs=1e-6)
    assert combine(views).logits.item() == pytest.approx(3.5 / 3, abs=1e-6)
    assert found.spread.item() == pytest.approx(np.std(chances), abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"views": "9 of 8"},
        {"views": "0 of 8"},
        {"views": []},
        {"views": [8]},
        {"views": [1, 1]},
        {"views": "all"},
        {"zoom": 1.0},
        {"shift": -0.1},
        {"batch": 0},
    ],
    ids=str,
)
def test_looks_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption):
        looks_of(**{"views": "none", "batch": 1, **options})
