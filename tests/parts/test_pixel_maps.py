"""Planes through a network: views that undo themselves, items that do not know each other."""

import numpy as np
import pytest
import torch
from tests.parts.pixel_nets.test_dpn_unet import SMALL

from cellwise.errors import FormatError
from cellwise.parts.pixel_maps import load_net, predict, softmax, to_bytes
from cellwise.parts.pixel_nets import pixel_nets


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(1)
    net = pixel_nets.build(SMALL)
    torch.nn.init.normal_(net.final[0].weight, 0, 1)
    return {name: value.numpy() for name, value in net.state_dict().items()}


@pytest.fixture(scope="module")
def net(weights):
    return load_net(SMALL, weights)


def planes(*shape):
    return np.random.default_rng(2).random(shape, np.float32)


def test_maps_are_probabilities(net):
    found = predict(net, planes(2, 3, 64, 32))
    assert found.shape == (2, 3, 64, 32)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert 0 <= found.min() < found.max() <= 1


def test_an_item_does_not_depend_on_its_company(net):
    three = planes(3, 3, 64, 64)
    together = predict(net, three)
    for number in range(3):
        alone = predict(net, three[number : number + 1])
        np.testing.assert_array_equal(together[number], alone[0])


def test_eight_views_are_the_same_mean_for_a_turned_image(net):
    image = planes(1, 3, 64, 96)
    straight = predict(net, image, views=8)
    mirrored = predict(net, image[..., ::-1].copy(), views=8)
    turned = predict(net, np.rot90(image, axes=(2, 3)).copy(), views=8)
    np.testing.assert_allclose(mirrored[..., ::-1], straight, atol=1e-5)
    np.testing.assert_allclose(np.rot90(turned, -1, axes=(2, 3)), straight, atol=1e-5)
    assert np.abs(straight - predict(net, image)).max() > 1e-4


def test_views_are_averaged_after_the_softmax(net):
    image = planes(1, 3, 32, 32)
    with torch.inference_mode():
        plain = softmax(net(torch.from_numpy(image)))
        quarter = softmax(net(torch.from_numpy(np.rot90(image, axes=(2, 3)).copy())))
    expected = (plain + torch.rot90(quarter, -1, dims=(2, 3))) / 2
    np.testing.assert_allclose(predict(net, image, views=2), expected, atol=1e-5)


def test_the_number_of_threads_is_left_as_it_was(net):
    before = torch.get_num_threads()
    predict(net, planes(1, 3, 32, 32), threads=1)
    assert torch.get_num_threads() == before


def test_no_items_give_no_maps(net):
    assert len(predict(net, planes(0, 3, 32, 32))) == 0


def test_memory_that_runs_out_halves_the_batch_and_then_says_so(net, monkeypatch):
    sizes = []

    class Tight(torch.nn.Module):
        room: int

        def forward(self, batch):
            sizes.append(len(batch))
            if len(batch) > self.room:
                raise torch.OutOfMemoryError("full")
            return batch

    tight = Tight()
    tight.room = 1
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_: self)
    three = planes(3, 3, 4, 4)
    found = predict(tight, three, device="cuda", finish=lambda x: x)
    np.testing.assert_array_equal(found, three)
    assert sizes == [3, 2, 1, 1, 1]
    tight.room = 0
    with pytest.raises(MemoryError, match="One image"):
        predict(tight, three, device="cuda", finish=lambda x: x)


def test_weights_of_another_network_are_refused_by_name(weights):
    lacking = {name: value for name, value in weights.items() if name != "final.0.bias"}
    with pytest.raises(FormatError, match=r"my file do not fit.*final\.0\.bias"):
        load_net(SMALL, lacking, source="my file")


def test_bytes_are_the_nearest():
    np.testing.assert_array_equal(
        to_bytes(np.array([0, 0.5, 0.9999, 1], np.float32)), [0, 128, 255, 255]
    )
