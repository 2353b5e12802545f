"""Mask-pooled features: coverage by a slow count, one pass for all cells, closer passes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.contracts.network import Asked
from cellwise.contracts.scorer import SitePixels
from cellwise.errors import BadOption
from cellwise.parts.nets import nets
from cellwise.parts.normalise import Normalisation
from cellwise.parts.places import coverage, places_of
from cellwise.parts.predictor import LoadedModel
from cellwise.stages.score import scorers

PLAIN = Normalisation("standard", (0.0, 0.0), (1.0, 1.0))


def predictor(**options):
    torch.manual_seed(0)
    return LoadedModel(
        nets.build({"name": "tiny", "width": 8, **options})(2, 3).eval(), PLAIN, "cpu"
    )


def site(masks, numbers, seed=0):
    field = torch.rand(2, *masks.shape, generator=torch.Generator().manual_seed(seed))
    return SitePixels(torch.empty(0), field, torch.from_numpy(masks), torch.tensor(numbers))


def score(pixels, asked=None, **options):
    scorer = scorers.build({"name": "shared_trunk", **options})
    with torch.inference_mode():
        return scorer.score(asked or predictor(), pixels)


@settings(max_examples=25)
@given(
    masks=arrays(np.int64, (12, 9), elements=st.sampled_from([0, 2, 5, 70_000])),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
)
def test_coverage_agrees_with_a_slow_count(masks, height, width):
    found = coverage(torch.from_numpy(masks), torch.tensor([2, 70_000]), height, width)
    counts, sizes = np.zeros((2, height, width)), np.zeros((height, width))
    for y in range(12):
        for x in range(9):
            spot = (y * height // 12, x * width // 9)
            sizes[spot] += 1
            for row, number in enumerate((2, 70_000)):
                counts[row][spot] += masks[y, x] == number
    np.testing.assert_allclose(found.view(2, height, width).numpy(), counts / sizes, atol=1e-6)


def test_a_cell_answers_from_what_it_mostly_covers_or_covers_most():
    covered = torch.tensor([[0.0, 0.6, 0.5, 0.1], [0.1, 0.0, 0.3, 0.2], [0.0, 0.0, 0.0, 0.0]])
    assert [own.tolist() for own in places_of(covered)] == [[1, 2], [2], [0]]


@pytest.mark.parametrize("pool", ["avg", "max", "avg+max"])
def test_a_cell_that_fills_the_field_is_scored_as_the_field(pool):
    pixels = site(np.full((32, 32), 7, np.int64), [7])
    asked = predictor(pool=pool)
    with torch.inference_mode():
        whole = asked(pixels.field[None]).logits
    torch.testing.assert_close(score(pixels, asked)[0], whole, rtol=1e-4, atol=1e-5)


def test_with_mean_pooling_it_is_the_class_map_under_the_mask():
    masks = np.zeros((64, 64), np.int64)
    masks[:32, 16:48], masks[40:, 8:24] = 1, 2
    pixels = site(masks, [1, 2])
    cam = scorers.build("cam")
    with torch.inference_mode():
        class_map = predictor()(pixels.field[None], Asked.CLASS_MAP).class_map[0]
        expected = torch.stack(
            [class_map[:, :4, 2:6].mean((1, 2)), class_map[:, 5:, 1:3].mean((1, 2))]
        )
        smooth = cam.score(predictor(), pixels)[0]
    found = score(pixels)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (found - smooth).abs().max() < 0.5


def test_those_in_doubt_are_looked_at_alone():
    masks = np.arange(16).reshape(4, 4).repeat(16, 0).repeat(16, 1).astype(np.int64)
    pixels = site(masks, list(range(1, 16)))
    first = score(pixels)[0]
    both = score(pixels, doubtful=0.2)[0]
    changed = (first != both).any(1)
    assert int(changed.sum()) == 3
    doubt = first.abs().amin(1)
    assert doubt[changed].max() <= doubt[~changed].min()
    with torch.inference_mode():
        alone = scorers.build("masked_view").score(predictor(), pixels)[0]
    torch.testing.assert_close(both[changed], alone[changed])
    torch.testing.assert_close(score(pixels, doubtful=1.0)[0], alone)


def test_the_field_is_seen_finer_where_asked():
    pixels = site(np.full((32, 32), 1, np.int64), [1])
    assert not torch.equal(score(pixels, zoom=2.0), score(pixels))


@pytest.mark.parametrize(
    "options", [{"zoom": 0.0}, {"doubtful": 1.5}, {"place": "middle"}], ids=str
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption):
        score(site(np.ones((8, 8), np.int64), [1]), **options)
