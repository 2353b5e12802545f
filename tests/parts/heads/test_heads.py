"""Heads: shapes, hand computations, and what a class map must mean."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.network import Asked
from cellwise.errors import BadOption
from cellwise.parts.heads import heads

BOTH = Asked.LOGITS | Asked.CLASS_MAP
NAMES = ["class_map", "multi_sample_dropout", "embedding", "attention", "cosine"]


def made(spec, features=6, classes=3):
    torch.manual_seed(0)
    return heads.build(spec)(features, classes).eval()


def test_the_folder_holds_these():
    assert set(NAMES) <= set(heads.part_names())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(height=st.integers(1, 5), width=st.integers(1, 5), items=st.integers(1, 3))
def test_logits_per_item_and_a_score_at_every_place(name, height, width, items):
    output = made(name)(torch.randn(items, 6, height, width), BOTH)
    assert output.logits.shape == (items, 3)
    assert output.class_map.shape == (items, 3, height, width)
    assert torch.isfinite(output.logits).all()


@pytest.mark.parametrize("name", NAMES)
def test_places_in_another_order_give_the_same_logits(name):
    features = torch.randn(2, 6, 3, 4)
    order = torch.randperm(12)
    moved = features.flatten(2)[:, :, order].view_as(features)
    head = made(name)
    torch.testing.assert_close(head(features).logits, head(moved).logits, rtol=1e-4, atol=1e-5)
    one, two = (head(places, Asked.CLASS_MAP).class_map.flatten(2) for places in (features, moved))
    one = one[:, :, order]
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["class_map", "multi_sample_dropout", "attention"])
def test_the_mean_of_the_class_map_is_the_logit(name):
    output = made(name)(torch.randn(2, 6, 3, 4), BOTH)
    torch.testing.assert_close(output.class_map.mean((2, 3)), output.logits, rtol=1e-4, atol=1e-5)


def test_dropouts_are_independent_and_their_mean_is_taken():
    head = heads.build({"name": "multi_sample_dropout", "copies": 400, "drop": 0.5})(6, 3)
    features = torch.randn(1, 6, 2, 2)
    torch.manual_seed(0)
    thinned = head.train()(features).logits
    whole = head.eval()(features).logits
    # The mean of 400 draws: a few standard errors of one.
    spread = (head.score.weight.detach().abs() @ features.mean((2, 3))[0].abs()) / math.sqrt(400)
    assert not torch.equal(thinned, whole)
    assert ((thinned - whole).abs()[0] < 5 * spread).all()


@torch.no_grad()
def test_attention_by_hand():
    head = made("attention", features=2, classes=1)
    features = torch.randn(1, 2, 1, 3)
    looks, scores = [], []
    for place in range(3):
        h = features[0, :, 0, place]
        content = (head.content.weight[:, :, 0, 0] @ h + head.content.bias).tanh()
        gate = (head.gate.weight[:, :, 0, 0] @ h + head.gate.bias).sigmoid()
        looks.append(float(head.look.weight[0, :, 0, 0] @ (content * gate) + head.look.bias))
        scores.append(float(head.score.weight[0, :, 0, 0] @ h + head.score.bias))
    powers = [math.exp(look) for look in looks]
    expected = sum(p * s for p, s in zip(powers, scores, strict=True)) / sum(powers)
    assert head(features).logits.item() == pytest.approx(expected, abs=1e-5)


def test_attention_can_find_one_place_among_many():
    head = made({"name": "attention", "hidden": 16}, features=4, classes=1).train()
    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        features = torch.randn(16, 4, 6, 6, generator=rng)
        wanted = (torch.arange(16) % 2).float()[:, None]
        features[wanted[:, 0] > 0, 0, 2, 3] += 8
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(features).logits, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.2
    seen = head(features, Asked.CLASS_MAP).class_map[wanted[:, 0] > 0, 0].flatten(1).argmax(1)
    assert (seen == 2 * 6 + 3).float().mean() > 0.9


def test_the_embedding_joins_mean_and_peak():
    head = made({"name": "embedding", "size": 5})
    features = torch.randn(2, 6, 3, 3)
    flat = features.flatten(2)
    joined = torch.cat([flat.mean(2), flat.max(2).values], 1)
    torch.testing.assert_close(head(features).logits, head.score(head.embed(joined)))


def test_looking_at_places_does_not_move_the_statistics():
    head = heads.build({"name": "embedding", "size": 5, "drop": 0.0})(6, 3).train()
    features = torch.randn(4, 6, 3, 3)
    modes = []
    for module in head.modules():
        module.register_forward_hook(lambda module, *_: modes.append(module.training))
    class_map = head(features, BOTH).class_map
    assert head.training
    assert all(modes), "no layer changes its mode on the way"
    assert int(head.embed[0].num_batches_tracked) == 1
    resting = head.eval()(features, Asked.CLASS_MAP).class_map
    assert torch.equal(class_map, resting)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_asked_for_is_there_and_it_is_the_same_alone(name, training):
    head = made({"name": name}).train(training)
    features = torch.randn(3, 6, 4, 5)
    everything = Asked.LOGITS | Asked.CLASS_MAP | Asked.EMBEDDING
    torch.manual_seed(0)
    together = head(features, everything)
    wanted = (Asked.LOGITS, Asked.EMBEDDING, Asked.CLASS_MAP)
    for asked, part in zip(wanted, ("logits", "embedding", "class_map"), strict=True):
        torch.manual_seed(0)
        alone = head(features, asked)
        value = getattr(alone, part)
        if not (training and name == "embedding"):
            torch.testing.assert_close(value, getattr(together, part), rtol=1e-5, atol=1e-5)
        for other in {"logits", "embedding", "class_map"} - {part}:
            with pytest.raises(LookupError, match="not asked"):
                getattr(alone, other)


def test_no_map_over_the_classes_is_built_for_logits():
    """Not in memory, not in the graph: nothing of `classes * places` numbers is made."""
    head = heads.build("class_map")(6, 1000)
    sizes = []
    head.score.register_forward_hook(lambda _, __, found: sizes.append(found.numel()))
    logits = head(torch.randn(2, 6, 8, 8)).logits
    assert logits.shape == (2, 1000)
    assert sizes == [2 * 1000]


def test_only_the_direction_counts_for_cosine():
    head = made({"name": "cosine", "scale": 10.0})
    features = torch.rand(2, 6, 3, 3)
    torch.testing.assert_close(head(features).logits, head(7 * features).logits)
    along = head.direction.detach()[1][None, :, None, None]
    assert head(along).logits[0, 1].item() == pytest.approx(10.0, abs=1e-4)


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "class_map", "drop": 1.0},
        {"name": "class_map", "pool": "median"},
        {"name": "multi_sample_dropout", "copies": 0},
        {"name": "embedding", "size": 0},
        {"name": "attention", "hidden": 0},
        {"name": "cosine", "scale": 0.0},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(spec):
    with pytest.raises(BadOption):
        heads.build(spec)
