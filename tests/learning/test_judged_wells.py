"""Epochs judged by wells: against a slow walk over tiles; stopping by any cell type."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from cellwise.contracts.batch import Pool
from cellwise.contracts.network import Output
from cellwise.learning._stopping import should_stop
from cellwise.learning.judged_wells import judged_wells, weighted
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Plan
from cellwise.learning.seeds import drawn_corners
from cellwise.parts.losses import losses
from cellwise.parts.normalise import SELF, Normalisation
from cellwise.parts.optimisers import optimisers
from cellwise.parts.schedules import schedules
from cellwise.parts.tasks import tasks

WELL = [3, 3, 1, 1, 7, -1]
KIND = [0, 0, 1, 1, 1, 0]
CLASS = [0, 0, 2, 2, 1, 1]


class UpperLeft:
    """Logits that are the upper left pixel of the first three channels."""

    def __call__(self, items, asked=None, *, of=None, covariates=None):
        return Output(items[:, :3, 0, 0].float())

    def together(self, rows, of):
        return rows


ask = UpperLeft()


def screen(batch):
    pixels = np.random.default_rng(0).random((6, 3, 32, 32)).astype(np.float32)
    places = {"well": np.array(WELL), "cell_type": np.array(KIND)}
    pool = Pool(np.arange(6), places=places, names={"cell_type": ("HUVEC", "RPE")})
    targets = np.eye(3, dtype=np.float32)[CLASS]
    material = Material(pool, targets, np.ones(6, np.float32), targets, lambda at: pixels[at])
    method = Method(
        tasks.build({"name": "tile", "size": 32, "tile": 16}),
        losses.build({"name": "softmax", "none": False}),
        (),
        Normalisation(SELF, (0.0,) * 3, (1.0,) * 3),
        np.ones((2, 3), np.float32),
        batch,
    )
    return pixels, material, method


def plan(**options):
    made = (optimisers.build("adam"), schedules.build("one_cycle"))
    return Plan(1, 0.1, 0.0, *made, seed=0, **options)


@pytest.mark.parametrize("batch", [1, 8, 100])
def test_logits_are_averaged_over_tiles_and_sites_before_the_loss(batch):
    pixels, material, method = screen(batch)
    weights = {"HUVEC": 3.0, "RPE": 1.0}
    found = judged_wells(ask, material, method, plan(judge_weights=weights))
    logits = []
    for site in torch.from_numpy(pixels):
        tiles = [site[:, y : y + 16, x : x + 16] for y in (0, 16) for x in (0, 16)]
        own = [(t - t.mean((1, 2), keepdim=True)) / t.std((1, 2), correction=0, keepdim=True)
               for t in tiles]  # fmt: skip
        logits.append(torch.stack([t[:, 0, 0] for t in own]).mean(0))
    wells = {"HUVEC": [([0, 1], 0), ([5], 1)], "RPE": [([2, 3], 2), ([4], 1)]}
    parts = {
        kind: np.mean(
            [
                float(
                    cross_entropy(
                        torch.stack([logits[k] for k in own]).mean(0)[None], torch.tensor([c])
                    )
                )
                for own, c in rows
            ]
        )
        for kind, rows in wells.items()
    }
    assert found.parts == pytest.approx(parts, rel=1e-5)
    assert found.value == pytest.approx((3 * parts["HUVEC"] + parts["RPE"]) / 4, rel=1e-5)


def test_cell_types_weigh_as_told_or_as_many_as_their_wells():
    parts = {"A": (1.0, 10), "B": (2.0, 30)}
    assert weighted(parts, {}) == pytest.approx(1.75)
    assert weighted(parts, {"A": 1, "B": 1, "C": 5}) == pytest.approx(1.5)
    assert weighted(parts, {"B": 2}) == pytest.approx(2.0)


def test_any_cell_type_that_improves_keeps_a_training_going():
    better, worse = {"A": 1.0, "B": 3.0}, {"A": 2.0, "B": 2.5}
    losses_ = [2.0, 2.1, 2.2, 2.3]
    assert should_stop(losses_, 3)
    assert should_stop(losses_, 3, [better] * 4)
    # B improved in the second epoch, though the whole did not.
    assert not should_stop(losses_, 3, [better, worse, worse, worse])
    assert should_stop(losses_, 2, [better, worse, worse, worse])
    assert not should_stop([math.nan], 1, [{}])


def test_one_tile_of_each_site_and_epoch_is_drawn_and_all_come():
    sites = np.arange(400)
    found = [drawn_corners(sites, 5, epoch, size=64, tile=16) for epoch in range(3)]
    assert all(np.array_equal(one, drawn_corners(sites, 5, k, size=64, tile=16))
               for k, one in enumerate(found))  # fmt: skip
    assert not np.array_equal(found[0], found[1])
    places, counts = np.unique(np.concatenate(found), axis=0, return_counts=True)
    assert len(places) == 16
    assert set(places.ravel().tolist()) == {0, 16, 32, 48}
    assert counts.min() > 1200 / 16 / 2
