"""Masked views: what the network is shown of each cell."""

import pytest
import torch
from torch import nn

from cellwise.contracts.network import Asked, Output
from cellwise.contracts.scorer import SitePixels
from cellwise.errors import BadOption
from cellwise.parts.normalise import Normalisation
from cellwise.parts.predictor import LoadedModel
from cellwise.stages.score import scorers
from cellwise.stages.score.masked_view import masks_at


class Watcher(nn.Module):
    """Keeps what it is shown; its logit is the sum of all pixels."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, pixels, asked):
        assert asked == Asked.LOGITS
        self.shown.append(pixels.clone())
        total = pixels.sum((1, 2, 3))[:, None]
        return Output(total)


def site():
    masks = torch.zeros(16, 16, dtype=torch.int64)
    masks[1:5, 2:6] = 3
    masks[8:16, 9:15] = 70_000
    field = torch.rand(2, 16, 16) + 0.5
    return SitePixels(torch.empty(0), field, masks, torch.tensor([3, 70_000]))


def score(place, pixels, **options):
    net = Watcher()
    plain = Normalisation("standard", (0.0, 0.0), (1.0, 1.0))
    spec = {"name": "masked_view", "place": place, **options}
    return scorers.build(spec).score(LoadedModel(net, plain, "cpu"), pixels), torch.cat(net.shown)


def test_each_cell_is_alone_where_it_is():
    pixels = site()
    views, shown = score("own", pixels)
    assert views.shape == (1, 2, 1)
    for row, number in enumerate((3, 70_000)):
        torch.testing.assert_close(shown[row], pixels.field * (pixels.masks == number))


def test_a_cell_in_the_middle_is_the_same_cell():
    pixels = site()
    views, shown = score("centre", pixels)
    assert torch.allclose(views, score("own", pixels)[0], rtol=1e-5)
    torch.testing.assert_close(shown[0][:, 6:10, 6:10], pixels.field[:, 1:5, 2:6])
    assert (shown[0][:, :6] == 0).all()


def test_a_tiled_cell_fills_the_canvas():
    pixels = site()
    _, shown = score("tiled", pixels)
    box = pixels.field[:, 1:5, 2:6]
    torch.testing.assert_close(shown[0], box.repeat(1, 4, 4))
    assert (shown[1] != 0).any(0).float().mean() > 0.9


def test_small_batches_and_eight_views_say_the_same():
    pixels = site()
    one = score("own", pixels)[0]
    many = score("own", pixels, views="dihedral", batch=1)[0]
    assert many.shape == (8, 2, 1)
    torch.testing.assert_close(many, one.expand(8, 2, 1), rtol=1e-5, atol=1e-4)


def test_masks_at_another_size_keep_large_numbers():
    masks = torch.tensor([[0, 16_777_217], [5, 0]])
    large = masks_at(masks, (4, 4))
    assert large.tolist()[0] == [0, 0, 16_777_217, 16_777_217]
    assert torch.equal(masks_at(large, (2, 2)), masks)


def test_a_cell_that_vanishes_at_the_models_size_is_a_black_canvas():
    pixels = site()
    lost = SitePixels(pixels.crops, pixels.field, pixels.masks, torch.tensor([9]))
    for place in ("own", "centre", "tiled"):
        assert (score(place, lost)[1] == 0).all()


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(BadOption, match="tiled"):
        scorers.build({"name": "masked_view", "place": "middle"})
    with pytest.raises(BadOption, match="batch"):
        scorers.build({"name": "masked_view", "batch": 0})


def test_a_canvas_of_another_size_holds_the_cell_in_its_middle():
    pixels = site()
    _, shown = score("centre", pixels, canvas=10)
    assert shown.shape == (2, 2, 10, 10)
    small, large = pixels.field[:, 1:5, 2:6], pixels.field[:, 8:16, 9:15]
    torch.testing.assert_close(shown[0, :, 3:7, 3:7], small)
    torch.testing.assert_close(shown[1, :, 1:9, 2:8], large)
    assert shown[0].count_nonzero() == small.numel()


def test_a_cell_larger_than_the_canvas_is_shrunk_to_it():
    _, shown = score("centre", site(), canvas=4)
    assert shown.shape == (2, 2, 4, 4)
    # Eight rows and six columns become four and three.
    assert (shown[1] != 0).sum((1, 2)).tolist() == [12, 12]


@pytest.mark.parametrize(
    "options", [{"place": "own", "canvas": 8}, {"place": "centre", "canvas": -1}]
)
def test_canvases_that_cannot_be_are_refused(options):
    with pytest.raises(BadOption, match="canvas"):
        scorers.build({"name": "masked_view", **options})


@pytest.mark.parametrize("place", ["own", "centre"])
def test_background_may_stay_while_other_cells_go(place):
    pixels = site()
    _, shown = score(place, pixels, policy="mask_others")
    other = (pixels.masks > 0) & (pixels.masks != 3)
    if place == "own":
        torch.testing.assert_close(shown[0], pixels.field * ~other)
    else:
        torch.testing.assert_close(shown[0, :, 6:10, 6:10], pixels.field[:, 1:5, 2:6])
    with pytest.raises(BadOption, match="mask_all or mask_others"):
        scorers.build({"name": "masked_view", "policy": "dim"})


def test_a_tiled_cell_can_be_turned_before_it_is_repeated():
    pixels = site()
    box = pixels.field[:, 1:5, 2:6]
    for views, turned in (([6], box.flip(1)), ([4], box.flip(2)), ([1], box.rot90(1, (1, 2)))):
        _, shown = score("tiled", pixels, views=views, turn_cell=True)
        torch.testing.assert_close(shown[0], turned.repeat(1, 4, 4))
    # The cell of eight rows and six columns, turned, has six rows, and its tiles begin anew there.
    _, shown = score("tiled", pixels, views=[1], turn_cell=True)
    torch.testing.assert_close(shown[1, :, 0], shown[1, :, 6])
    with pytest.raises(BadOption, match="turn_cell"):
        scorers.build({"name": "masked_view", "turn_cell": True})


def test_views_of_a_canvas_are_zoomed_after_the_first():
    pixels = site()
    _, shown = score("own", pixels, views="flips", zoom=0.4, seed=1)
    areas = (shown.reshape(4, 2, 2, 16, 16) > 0.25).sum((1, 2, 3, 4)).tolist()
    assert len(set(areas)) > 2
    torch.testing.assert_close(shown[:2], score("own", pixels)[1])
