"""Networks of vectors: a layer by hand, what is asked and no more, pixels refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.contracts.network import Asked
from cellwise.errors import BadOption
from cellwise.parts.nets import nets
from cellwise.parts.normalise import fit

NAMES = ("linear", "perceptron")


def made(name, numbers=5, classes=3):
    torch.manual_seed(0)
    return nets.build(name)(numbers, classes).eval()


def test_the_linear_layer_is_a_product_and_a_sum():
    net, vectors = made("linear"), torch.randn(4, 5)
    weight, bias = (net.score.weight.detach().numpy(), net.score.bias.detach().numpy())
    found = net(vectors).logits.detach().numpy()
    np.testing.assert_allclose(found, vectors.numpy() @ weight.T + bias, rtol=1e-5, atol=1e-6)


def test_the_perceptron_by_hand():
    net, vectors = made("perceptron"), torch.randn(4, 5)
    first, norm = net.features[0], net.features[1]
    hidden = vectors.numpy() @ first.weight.detach().numpy().T + first.bias.detach().numpy()
    centred = hidden - hidden.mean(1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + norm.eps)
    active = torch.nn.functional.gelu(torch.from_numpy(scaled)).numpy()
    expected = active @ net.score.weight.detach().numpy().T + net.score.bias.detach().numpy()
    np.testing.assert_allclose(net(vectors).logits.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_is_judged_alone(name):
    net, vectors = made(name), torch.randn(6, 5)
    together = net(vectors).logits
    alone = torch.cat([net(one[None]).logits for one in vectors])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_asked_for_is_there(name):
    net, vectors = made(name), torch.randn(2, 5)
    both = net(vectors, Asked.LOGITS | Asked.EMBEDDING)
    torch.testing.assert_close(net.score(both.embedding), both.logits)
    with pytest.raises(LookupError):
        _ = net(vectors).embedding
    with pytest.raises(BadOption, match="no class map"):
        net(vectors, Asked.CLASS_MAP)
    with pytest.raises(BadOption, match="cannot see pixels"):
        net(torch.randn(2, 5, 4, 4))


@pytest.mark.parametrize(
    "spec", [{"name": "linear", "drop": 1.0}, {"name": "perceptron", "hidden": 0}]
)
def test_options_that_cannot_work_are_refused(spec):
    with pytest.raises(BadOption):
        nets.build(spec)


@given(st.integers(2, 30), st.integers(1, 6), st.floats(-6, 6))
def test_vectors_of_any_scale_are_standardised(count, length, size):
    rng = np.random.default_rng(count)
    vectors = torch.from_numpy(rng.normal(3, 1, (count, length)) * 10.0**size).float()
    found = fit(vectors, "standard")(vectors).numpy()
    assert np.abs(found.mean(0)).max() < 1e-2
    np.testing.assert_allclose(found.std(0), np.ones(length), rtol=1e-2)


def test_a_number_that_hardly_varies_is_not_blown_up():
    vectors = torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 2.0 + 1e-5]])
    seen = fit(vectors, "standard")
    assert seen.std == pytest.approx((1.0, 1e-3, 1e-3))
    assert fit(torch.ones(3, 2), "standard").std == (1.0, 1.0)
    with pytest.raises(BadOption, match="vectors take 'standard'"):
        fit(vectors, "crop_mean")
