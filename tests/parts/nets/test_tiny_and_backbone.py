"""Networks: any channel count, a class map that explains the logits, no memory of the batch."""

import importlib.util

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.network import Asked
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets import nets

BOTH = Asked.LOGITS | Asked.CLASS_MAP


@settings(max_examples=10, deadline=None)
@given(channels=st.integers(1, 7), classes=st.integers(1, 5), pool=st.sampled_from(["avg", "max"]))
def test_pooling_the_class_map_gives_the_logits(channels, classes, pool):
    net = nets.build({"name": "tiny", "width": 8, "pool": pool})(channels, classes)
    output = net(torch.rand(2, channels, 24, 24), BOTH)
    assert output.class_map.shape == (2, classes, 3, 3)
    pooled = output.class_map.flatten(2)
    expected = pooled.mean(2) if pool == "avg" else pooled.max(2).values
    torch.testing.assert_close(output.logits, expected)


def test_avg_and_max_is_the_mean_of_both():
    net = nets.build({"name": "tiny", "width": 8, "pool": "avg+max"})(2, 3)
    output = net(torch.rand(1, 2, 32, 32), BOTH)
    flat = output.class_map.flatten(2)
    torch.testing.assert_close(output.logits, (flat.mean(2) + flat.amax(2)) / 2)


def test_the_default_net_is_as_small_as_it_says():
    net = nets.build("tiny")(2, 1)
    assert 50_000 < sum(p.numel() for p in net.parameters()) < 100_000


@pytest.mark.parametrize("spec", ["tiny", {"name": "backbone", "model": "resnet10t"}])
def test_an_item_is_scored_alike_in_any_company(spec):
    torch.manual_seed(0)
    net = nets.build(spec)(3, 2).eval()
    items = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        together, alone = net(items).logits, net(items[2:3]).logits
    torch.testing.assert_close(together[2:3], alone, rtol=1e-4, atol=1e-5)


def test_company_is_of_no_matter_to_the_tiny_net_even_while_it_trains():
    net = nets.build({"name": "tiny", "width": 8})(1, 1).train()
    items = torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(net(items).logits[:1], net(items[:1]).logits)


def test_a_backbone_gives_a_class_map_for_four_channels():
    head = {"name": "class_map", "drop": 0.2}
    output = nets.build({"name": "backbone", "model": "resnet10t", "head": head})(4, 19)(
        torch.rand(2, 4, 64, 64), BOTH
    )
    assert output.logits.shape == (2, 19)
    assert output.class_map.shape == (2, 19, 2, 2)


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"name": "tiny", "width": 10}, "multiple"),
        ({"name": "tiny", "pool": "median"}, "median"),
        ({"name": "backbone", "head": {"name": "class_map", "drop": 1.5}}, "drop"),
    ],
)
def test_options_out_of_range_are_refused(spec, word):
    with pytest.raises(BadOption, match=word):
        nets.build(spec)


def test_a_backbone_that_timm_does_not_know_is_refused_with_the_nearest_name():
    with pytest.raises(BadOption, match="resnet18"):
        nets.build({"name": "backbone", "model": "resnet1818"})(1, 1)


def test_published_weights_without_a_network_say_what_to_do(monkeypatch):
    import timm

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(PreflightError, match="timm's cache"):
        nets.build({"name": "backbone", "pretrained": True})(3, 1)


def test_listing_parts_does_not_import_timm():
    assert importlib.util.find_spec("timm")
    assert {"tiny", "backbone"} <= set(nets.part_names())
