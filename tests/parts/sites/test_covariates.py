"""What a network is told beside pixels: as numbers, and in its answer."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.contracts.network import Asked, joined_features
from cellwise.parts.nets import nets
from cellwise.parts.sites.covariates import covariates_of

VALUES = st.lists(st.sampled_from([None, "", "HUVEC", "RPE", "U2OS"]), max_size=20)
NETS = [
    {"name": "tiny", "width": 8},
    {"name": "tiny", "width": 8, "pool": "max"},
    {"name": "backbone", "model": "resnet10t", "head": {"name": "embedding", "size": 8}},
]


@given(VALUES, st.lists(st.sampled_from(["HUVEC", "RPE", "U2OS"]), unique=True))
def test_a_site_is_one_where_its_value_stands_and_nothing_where_it_is_unknown(values, known):
    found = covariates_of(values, {"column": "x", "values": known})
    assert found.shape == (len(values), len(known))
    for row, value in zip(found.tolist(), values, strict=True):
        assert row == [float(value == name) for name in known]
    assert covariates_of(values, {}).shape == (len(values), 0)


@pytest.mark.parametrize("spec", NETS, ids=lambda s: f"{s['name']} {s.get('pool', '')}")
def test_covariates_stand_beside_the_features_that_the_head_sees(spec):
    """The same as a slow way: features pooled first, the numbers put beside them, one layer."""
    torch.manual_seed(0)
    net = nets.build(spec)(3, 4, covariates=2).eval()
    pixels = torch.rand(3, 3, 32, 32)
    told = torch.tensor([[1.0, 0], [0, 1], [0, 0]])
    with torch.no_grad():
        found = net(pixels, Asked.LOGITS, told).logits
        features = net.extract_features(pixels)
        again = net.answer(joined_features(features, told)).logits
        other = net(pixels, Asked.LOGITS, told.flip(1)).logits
    torch.testing.assert_close(found, again)
    assert not torch.allclose(found[:2], other[:2])
    torch.testing.assert_close(found[2], other[2])
    if spec["name"] == "tiny" and "pool" not in spec:
        beside = np.concatenate([features.mean((2, 3)).numpy(), told.numpy()], axis=1)
        layer = net.head
        wanted = beside @ layer.weight[:, :, 0, 0].detach().numpy().T + layer.bias.detach().numpy()
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
