"""Constants of the HPA systems against the numbers that they printed, in any order of channels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.channels import Channel
from cellwise.errors import BadOption
from cellwise.parts.published_levels import SETS, published, published_gains
from cellwise.stages.train.spec import CONSTANTS

ROLES = ["nucleus", "protein", "microtubule", "er"]
# Blue, green, red, yellow, in 0..255.
CHALLENGE = dict(zip(ROLES, [239.93038613, 246.05603962, 250.16871503, 250.50623682], strict=True))
PUBLIC = dict(zip(ROLES, [30.89923273, 153.09532163, 81.67066827, 230.55380814], strict=True))
MEAN = {"microtubule": 0.074598, "protein": 0.050630, "nucleus": 0.050891, "er": 0.076287}
STD = {"microtubule": 0.122813, "protein": 0.085745, "nucleus": 0.129882, "er": 0.119411}
ORDERS = st.permutations(ROLES)


def channels(order):
    return [Channel(role[:3], role) for role in order]


@given(order=ORDERS)
def test_pixels_become_what_the_systems_made_of_them(order):
    pixels = torch.rand(2, 4, 3, 3)
    for name, constants in (("hpa_challenge", CHALLENGE), ("hpa_public", PUBLIC)):
        found = published(name, channels(order))(pixels)
        for place, role in enumerate(order):
            expected = pixels[:, place] * 255 / constants[role]
            torch.testing.assert_close(found[:, place], expected, rtol=1e-5, atol=1e-6)
    found = published("hpa_2018", channels(order))(pixels)
    for place, role in enumerate(order):
        expected = (pixels[:, place] - MEAN[role]) / STD[role]
        torch.testing.assert_close(found[:, place], expected, rtol=1e-5, atol=1e-5)
    raw = published("eight_bit", [Channel(name) for name in "abcd"])(pixels)
    torch.testing.assert_close(raw, pixels * 255)


@given(order=ORDERS)
def test_gains_bring_each_source_to_what_its_own_constants_say(order):
    sets = {"challenge": "hpa_challenge", "public": "hpa_public"}
    gains = published_gains(sets, channels(order))
    pixels = torch.rand(1, 4, 2, 2)
    levelled = pixels * torch.tensor(gains["public"])[:, None, None]
    usual = published("hpa_challenge", channels(order))(levelled)
    torch.testing.assert_close(usual, published("hpa_public", channels(order))(pixels))
    assert gains["challenge"] == [1.0] * 4


def test_what_the_constants_know_nothing_of_is_refused():
    with pytest.raises(BadOption, match="actin"):
        published("hpa_2018", [Channel("phalloidin actin", "actin")])
    with pytest.raises(BadOption, match="hpa_2017"):
        published("hpa_2017", channels(ROLES))
    with pytest.raises(BadOption, match="without a mean"):
        published_gains({"a": "hpa_challenge", "b": "hpa_2018"}, channels(ROLES))
    assert CONSTANTS == SETS
