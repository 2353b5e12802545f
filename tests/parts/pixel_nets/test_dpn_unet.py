"""The HPA-Cell-Segmentation network: names and shapes as recorded, an encoder as in timm."""

from importlib import resources

import pytest
import torch

from cellwise.errors import BadOption
from cellwise.parts.pixel_nets import pixel_nets

SMALL = {
    "name": "dpn_unet",
    "first": 8,
    "width": 8,
    "residual": 8,
    "groups": 4,
    "blocks": [1, 2, 2, 1],
    "growth": [4, 4, 4, 4],
}


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    net = pixel_nets.build(SMALL)
    # Statistics away from 0 and 1, so that a normalisation left out would show.
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return net.eval()


def test_names_and_shapes_are_those_recorded():
    with torch.device("meta"):
        net = pixel_nets.build("dpn_unet")
    text = (resources.files("cellwise.app.models") / "dpn_unet.shapes.txt").read_text()
    recorded = dict(line.split() for line in text.splitlines())
    built = {
        name: "x".join(map(str, value.shape)) or "scalar"
        for name, value in net.state_dict().items()
    }
    assert built == recorded
    assert sum(parameter.numel() for parameter in net.parameters()) == 139_108_867


def renamed(weights):
    """Names of timm's DPN for ours."""
    names = {}
    for name in weights:
        stage, place, *rest = name.removeprefix("encoder_stages.").split(".")
        last = ".".join(rest)
        if stage == "0":
            names[name] = f"features.conv1_1.{'conv' if place == '0' else 'bn'}.{last}"
        elif stage == "4" and rest[0] == "bn":
            names[name] = f"features.conv5_bn_ac.{last}"
        else:
            number = int(place) + (stage != "1")
            names[name] = f"features.conv{int(stage) + 1}_{number}.{last}"
    return names


@pytest.mark.long
def test_the_encoder_says_what_timms_says():
    import timm

    peer = timm.models.dpn.DPN(
        k_sec=(1, 2, 2, 1),
        inc_sec=(4, 4, 4, 4),
        k_r=8,
        groups=4,
        num_init_features=8,
        fc_act_layer="relu",
        num_classes=0,
    )
    # The summed path of timm's has fixed widths, so ours is built after it.
    net = pixel_nets.build({**SMALL, "residual": 256})
    ours = {k: v for k, v in net.state_dict().items() if k.startswith("encoder_stages")}
    names = renamed(ours)
    peer.load_state_dict({names[name]: value for name, value in ours.items()}, strict=True)
    pixels = torch.rand(2, 3, 64, 96)
    seen = []
    for stage in net.eval().encoder_stages:
        pixels_in = pixels if not seen else seen[-1]
        seen.append(stage(pixels_in))
    expected = peer.eval().forward_features(pixels)
    torch.testing.assert_close(seen[-1], expected)


def test_the_decoder_joins_each_size_with_what_the_encoder_saw(small):
    """The same written out layer by layer from the weights alone."""
    from torch.nn.functional import conv2d, interpolate

    pixels = torch.rand(1, 3, 64, 32)
    weights = small.state_dict()
    seen = [small.encoder_stages[0](pixels)]
    for stage in list(small.encoder_stages)[1:]:
        seen.append(stage(seen[-1]))
    x = seen[4]
    for level in range(4):
        large = interpolate(x, scale_factor=2, mode="nearest")
        stem = f"decoder_stages.{3 - level}.layer.1"
        x = conv2d(large, weights[f"{stem}.weight"], weights[f"{stem}.bias"], padding=1).relu()
        x = torch.cat([x, seen[3 - level]], 1)
        stem = f"bottlenecks.{level}.seq.0"
        x = conv2d(x, weights[f"{stem}.weight"], weights[f"{stem}.bias"], padding=1).relu()
    x = interpolate(x, scale_factor=2, mode="nearest")
    stem = "last_upsample.layer.1"
    x = conv2d(x, weights[f"{stem}.weight"], weights[f"{stem}.bias"], padding=1).relu()
    x = conv2d(x, weights["final.0.weight"], weights["final.0.bias"], padding=1)
    torch.testing.assert_close(small(pixels), x)


@pytest.mark.parametrize("shape", [(32, 32), (64, 160)])
def test_it_gives_a_map_as_large_as_the_image(small, shape):
    assert small(torch.rand(2, 3, *shape)).shape == (2, 3, *shape)


def test_a_wrong_option_is_named():
    with pytest.raises(BadOption, match="blocks"):
        pixel_nets.build({"name": "dpn_unet", "blocks": [3, 4]})
