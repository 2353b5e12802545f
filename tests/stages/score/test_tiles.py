"""Tiles of whole sites: the mean by hand, views, batches, and models that learned none."""

import numpy as np
import pytest
import torch
from torch import nn

from cellwise.contracts.network import Asked, Output
from cellwise.contracts.scorer import SitePixels
from cellwise.errors import BadOption
from cellwise.parts.normalise import Normalisation
from cellwise.parts.predictor import LoadedModel, combine
from cellwise.parts.views import VIEWS, turn
from cellwise.stages.score import scorers

PLAIN = Normalisation("standard", (0.0,), (1.0,))
NONE = torch.empty(0, dtype=torch.int64)


class Corner(nn.Module):
    """Says the square of the first pixel and the largest one: not linear, and turning shows."""

    def forward(self, pixels, asked=Asked.LOGITS):
        return Output(torch.stack([pixels[:, 0, 0, 0] ** 2, pixels.amax((1, 2, 3))], dim=1))


MODEL = LoadedModel(Corner(), PLAIN, "cpu")


def site(seed=0, side=8, tile=4):
    draw = torch.Generator().manual_seed(seed)
    return SitePixels(
        torch.empty(0), torch.rand(1, side, side, generator=draw), NONE, NONE, tile=tile
    )


def slowly(pixels, views):
    tile, side = pixels.tile, pixels.field.shape[-1]
    found = []
    for view in views:
        for y in range(0, side, tile):
            for x in range(0, side, tile):
                cut = turn(pixels.field[None, :, y : y + tile, x : x + tile], view)
                found.append(MODEL(cut).logits[0])
    return torch.stack(found).mean(0)


@pytest.mark.parametrize(
    ("views", "chosen"), [("none", VIEWS[:1]), ("flips", (0, 2, 4, 6)), ("dihedral", VIEWS)]
)
@pytest.mark.parametrize("tile", [2, 4, 8])
def test_a_site_is_the_mean_of_all_tiles_and_views(views, chosen, tile):
    pixels = site(tile=tile)
    found = scorers.build({"name": "tiles", "views": views}).score(MODEL, pixels)
    assert found.shape == (len(chosen), 1, 2)
    torch.testing.assert_close(combine([found]).logits[0], slowly(pixels, chosen))


def test_batches_do_not_show():
    one, two = (
        scorers.build({"name": "tiles", "views": "flips", "batch": n}).score(MODEL, site(3, 16, 4))
        for n in (1, 7)
    )
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_a_model_that_learned_no_tiles_is_refused():
    with pytest.raises(BadOption, match="field_net"):
        scorers.build("tiles").score(MODEL, site(tile=0))
