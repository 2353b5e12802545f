"""Backbones for other channels than three colours: widened stems, pooled stems, files of
weights."""

import hashlib
from typing import Any

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import conv2d

from cellwise.contracts.network import Asked
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets import nets, without_beginning
from cellwise.parts.nets._stem import WAYS, widen_first, widened

# The least of a family stands for it; the sources' own are only built in outline below.
FAMILIES = ["resnet10t", "tf_efficientnet_b0", "densenet121", "vit_tiny_patch16_224", "mixnet_s"]

BOTH = Asked.LOGITS | Asked.CLASS_MAP


def build(channels=4, classes=2, **options):
    torch.manual_seed(0)
    return nets.build({"name": "backbone", **options})(channels, classes).eval()


@given(channels=st.integers(1, 8), way=st.sampled_from(["repeat", "mean"]))
def test_a_grey_image_gets_the_same_answer_whatever_the_channels(channels, way):
    torch.manual_seed(1)
    kernels = torch.randn(5, 3, 3, 3)
    grey = torch.rand(1, 1, 8, 8)
    if way == "repeat" and channels % 3:
        # Where the round is not full, colours weigh unevenly: only the sum is kept.
        kernels[:] = kernels[:, :1]
    before = conv2d(grey.expand(1, 3, 8, 8), kernels)
    after = conv2d(grey.expand(1, channels, 8, 8), widened(kernels, channels, way))
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-5)


@given(channels=st.integers(1, 8))
def test_first_three_are_kept_and_further_ones_copy_the_first_or_are_zero(channels):
    kernels = torch.randn(2, 3, 3, 3)
    copied, zeroed = (widened(kernels, channels, way) for way in ("copy_first", "zero"))
    for place in range(channels):
        torch.testing.assert_close(copied[:, place], kernels[:, place if place < 3 else 0])
        expected = kernels[:, place] if place < 3 else torch.zeros(2, 3, 3)
        torch.testing.assert_close(zeroed[:, place], expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_reads_four_channels_and_gives_a_map(family):
    output = build(model=family)(torch.rand(2, 4, 64, 64), BOTH)
    assert output.logits.shape == (2, 2)
    assert output.class_map.shape[:2] == (2, 2)
    assert output.class_map.shape[2] == output.class_map.shape[3] > 1
    torch.testing.assert_close(output.logits, output.class_map.mean((2, 3)), rtol=1e-3, atol=1e-4)


SOURCES = [
    *(f"tf_efficientnet_b{size}" for size in range(8)),
    *(
        "resnet50d",
        "resnet101d",
        "resnet101",
        "densenet121",
        "densenet169",
        "densenet161",
        "dpn68b",
    ),
    *(
        "mixnet_m",
        "rexnet_150",
        "resnest101e",
        "resnext101_32x8d",
        "vit_base_patch16_384",
        "inception_v3",
    ),
]


@pytest.mark.parametrize("model", SOURCES)
def test_the_backbones_of_the_sources_are_built_by_name(model):
    """On a device without memory: names, first layers and sizes of maps are what is asked for."""
    stride = 16 if model == "resnest101e" else 0
    with torch.device("meta"):
        net = nets.build({"name": "backbone", "model": model, "stride": stride})(4, 19).eval()
        output = net(torch.empty(1, 4, 384, 384), BOTH)
    assert output.logits.shape == (1, 19)
    side = output.class_map.shape[2]
    assert side == {"resnest101e": 24, "vit_base_patch16_384": 24, "inception_v3": 10}.get(
        model, 12
    )


def test_the_map_of_a_transformer_stands_where_its_patches_stand():
    net = build(model="vit_tiny_patch16_224", classes=1)
    pixels = torch.rand(1, 4, 32, 48)
    tokens, as_map = net.trunk.forward_features(pixels), net.extract_features(pixels)
    assert as_map.shape[2:] == (2, 3)
    torch.testing.assert_close(as_map[0, :, 1, 2], tokens[0, 1 + 1 * 3 + 2])


@pytest.mark.parametrize("way", WAYS)
def test_a_file_of_three_colours_begins_a_network_of_six_channels(tmp_path, way):
    import timm

    torch.manual_seed(3)
    donor = timm.create_model("resnet10t", num_classes=7)
    path = tmp_path / "donor.safetensors"
    save_file(donor.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    net = build(6, model="resnet10t", pretrained=str(path), sha256=digest, stem=way)
    first = net.trunk.pretrained_cfg["first_conv"]
    kernels = donor.get_submodule(first).weight
    torch.testing.assert_close(net.trunk.get_submodule(first).weight, widened(kernels, 6, way))
    last = "layer4.0.conv2.weight"
    torch.testing.assert_close(net.trunk.state_dict()[last], donor.state_dict()[last])
    assert net(torch.rand(1, 6, 64, 64)).logits.shape == (1, 2)


def test_files_that_are_not_what_they_should_be_are_named(tmp_path):
    import timm

    good = timm.create_model("resnet10t").state_dict()
    cases = {
        "other.safetensors": (
            {k: v for k, v in good.items() if "layer4" not in k},
            "another model",
        ),
        "shape.safetensors": ({**good, "conv1.0.weight": torch.zeros(1)}, "another shape"),
    }
    for name, (content, words) in cases.items():
        save_file(content, tmp_path / name)
        with pytest.raises(PreflightError, match=words):
            build(model="resnet10t", pretrained=str(tmp_path / name))
    whole = tmp_path / "whole.pth"
    torch.save(nn.Linear(1, 1), whole)
    with pytest.raises(PreflightError, match="more than tensors"):
        build(model="resnet10t", pretrained=str(whole))
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes((tmp_path / "other.safetensors").read_bytes()[:1000])
    with pytest.raises(PreflightError, match="cannot be read"):
        build(model="resnet10t", pretrained=str(torn))
    with pytest.raises(PreflightError, match="no file"):
        build(model="resnet10t", pretrained=str(tmp_path / "absent.pth"))
    with pytest.raises(PreflightError, match="sha256"):
        build(model="resnet10t", pretrained=str(tmp_path / "other.safetensors"), sha256="00")


def test_a_trained_model_asks_for_no_published_weights():
    spec = {"name": "backbone", "model": "resnet10t", "pretrained": True, "sha256": "ab"}
    assert without_beginning(spec) == {"name": "backbone", "model": "resnet10t"}
    assert without_beginning("tiny") == "tiny"


def test_a_pooled_stem_halves_the_map_and_a_dilated_one_doubles_it():
    sizes = {
        options: build(model="resnet10t", **dict(options))(
            torch.rand(1, 4, 128, 128), Asked.CLASS_MAP
        ).class_map.shape[2]
        for options in ((), (("stem_pool", True),), (("stride", 16),))
    }
    assert list(sizes.values()) == [4, 2, 8]


def test_mish_takes_the_place_of_every_relu():
    kinds = {type(module).__name__ for module in build(model="densenet121", mish=True).modules()}
    assert "Mish" in kinds
    assert not kinds & {"ReLU", "SiLU"}


def test_a_first_layer_that_cannot_be_widened_is_refused():
    trunk: Any = nn.Module()
    trunk.pretrained_cfg = {"first_conv": "stem"}
    trunk.stem = nn.Linear(3, 1)
    with pytest.raises(BadOption, match="cannot be widened"):
        widen_first(trunk, 4, "repeat")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"stem": "copy_last"}, "copy_first"),
        ({"stride": 7}, "stride"),
        ({"sha256": "ab"}, "pretrained"),
        ({"model": "mixnet_s", "stem_pool": True}, "stem_pool"),
        ({"head": "class_mpa"}, "class_map"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, word):
    with pytest.raises((BadOption, KeyError), match=word):
        build(**options)


def test_six_channels_may_have_the_three_colours_twice_unscaled():
    kernels = torch.randn(5, 3, 3, 3)
    assert torch.equal(widened(kernels, 6, "copy_all"), torch.cat([kernels, kernels], dim=1))
    assert torch.allclose(widened(kernels, 6, "repeat") * 2, widened(kernels, 6, "copy_all"))


@pytest.mark.parametrize("model", ["densenet161", "tf_efficientnet_b2"])
def test_networks_of_screens_read_six_channels_with_published_weights_twice(model, monkeypatch):
    """The hub is stood in for by a network of three colours with weights of chance."""
    made = []

    def hub(name, options):
        trunk = timm.create_model(name, **options)
        first = trunk.pretrained_cfg["first_conv"]
        made.append((first, trunk.get_submodule(first).weight.detach().clone(), trunk.state_dict()))
        return trunk

    monkeypatch.setattr("cellwise.parts.nets.backbone.open_hub", hub)
    net = build(6, 5, model=model, pretrained=True, stem="copy_all", mish="b2" in model)
    (first, kernels, before) = made[0]
    layer = net.trunk.get_submodule(first)
    assert torch.equal(layer.weight, torch.cat([kernels, kernels], dim=1))
    after = net.trunk.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before if not k.startswith(first))
    with torch.no_grad():
        pixels = torch.rand(2, 6, 32, 32)
        logits = net(pixels).logits
        assert logits.shape == (2, 5)
        # Both halves see the same kernels: they may change places.
        torch.testing.assert_close(net(pixels.roll(3, 1)).logits, logits, rtol=1e-3, atol=1e-4)
