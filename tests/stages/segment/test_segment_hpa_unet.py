"""HPA-Cell-Segmentation networks as a segmenter: what they are shown, how cut, who is set aside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import rescale

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption, FormatError, InputError
from cellwise.parts.pixel_maps import load_net, predict, to_bytes
from cellwise.parts.pixel_nets import pixel_nets
from cellwise.stages.segment import hpa_unet, segmenters
from cellwise.stages.segment.hpa_unet import planes as _hpa_planes
from cellwise.stages.segment.hpa_unet.planes import shrunk, stretched, windows
from cellwise.store.network_weights import NetworkCard

SMALL = {
    "name": "dpn_unet",
    "first": 8,
    "width": 8,
    "residual": 8,
    "groups": 4,
    "blocks": [1, 1, 1, 1],
    "growth": [4, 4, 4, 4],
}
MEAN = [124 / 255, 117 / 255, 104 / 255]
STD = [1 / (0.0167 * 255)] * 3
ROLES = {"dpn_unet_nuclei": ["nucleus"] * 3, "dpn_unet_cell": ["microtubule", "er", "nucleus"]}
STAINS = {"blue": "nucleus", "red": "microtubule", "yellow": "er", "green": "protein"}


def weights(name):
    torch.manual_seed(len(name))
    net = pixel_nets.build(SMALL)
    torch.nn.init.normal_(net.final[0].weight, 0, 1)
    return {key: value.numpy().copy() for key, value in net.state_dict().items()}


WEIGHTS = {name: weights(name) for name in ROLES}


def read(name):
    facts = {"planes": ROLES[name], "mean": MEAN, "std": STD}
    roles = tuple(dict.fromkeys(ROLES[name]))
    return NetworkCard(name, SMALL, roles, facts), WEIGHTS[name]


def field(height=96, width=96, stains=STAINS, seed=0, site="a", pixel_size=None):
    pixels = np.random.default_rng(seed).random((len(stains), height, width), np.float32)
    channels = tuple(Channel(name, role) for name, role in stains.items())
    return Field(site, pixels, channels, pixel_size)


class Labelled:
    def __init__(self, masks):
        self.masks = masks


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    """What reaches the rules, which a stand-in replaces: the maps are under test here."""
    arrived = []

    def label_maps(nucleus, cell, shape, *, side):
        arrived.append((nucleus, cell, shape, side))
        labels = np.full(shape, len(arrived), np.uint16)
        return Labelled(Masks(labels, labels))

    monkeypatch.setattr(hpa_unet, "label_maps", label_maps)
    return arrived


def segmenter(**options):
    return segmenters.build({"name": "hpa_unet", "read": read, **options})


def expected_maps(name, planes):
    """The network's answer for planes `[3, y, x]`, by the shortest way."""
    net = load_net(SMALL, WEIGHTS[name])
    shown = (planes - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    return to_bytes(predict(net, shown[None].astype(np.float32)))[0]


def as_published(plane, factor):
    """Shrunk, with 32 reflected pixels before and up to 32 behind."""
    small = rescale(plane, factor, anti_aliasing=True)
    behind = [32 - side % 32 for side in small.shape]
    return np.pad(small, [(32, more) for more in behind], "symmetric"), small.shape


@pytest.mark.parametrize("size", [(128, 128), (432, 432), (200, 136), (500, 260)])
def test_the_networks_are_shown_what_the_program_shows_them(size, seen):
    one = field(*size)
    segmenter()(one)
    nucleus, cell, shape, side = seen[0]
    padded = {}
    for number, role in enumerate(STAINS.values()):
        padded[role], small = as_published(one.pixels[number], 0.25)
    for name, found in (("dpn_unet_nuclei", nucleus), ("dpn_unet_cell", cell)):
        expected = expected_maps(name, np.stack([padded[role] for role in ROLES[name]]))
        inside = expected[:, 32 : 32 + small[0], 32 : 32 + small[1]]
        assert found.shape == (3, *small)
        assert found.dtype == np.uint8
        # Rounding to bytes may fall on either side.
        assert np.abs(found.astype(int) - inside.astype(int)).max() <= 1
    assert shape == size
    assert side is None


@given(
    height=st.integers(9, 90), width=st.integers(9, 90), factor=st.sampled_from([0.25, 0.4, 0.8])
)
@settings(deadline=None, max_examples=30)
def test_shrinking_is_that_of_scikit_image(height, width, factor):
    plane = np.random.default_rng(height).random((height, width), np.float32)
    expected = rescale(plane, factor, anti_aliasing=True)
    np.testing.assert_allclose(shrunk(plane, factor), expected, atol=2e-5)


def test_a_field_of_the_right_size_is_left_alone():
    plane = np.random.default_rng(0).random((20, 30), np.float32)
    assert shrunk(plane, 1.0) is plane


@given(
    height=st.integers(1, 260),
    width=st.integers(1, 260),
    margin=st.sampled_from([0, 5, 32]),
    longest=st.sampled_from([64, 100, 1088]),
)
@settings(deadline=None, max_examples=80)
def test_windows_cover_each_pixel_once_with_what_lies_around_it(height, width, margin, longest):
    planes = np.arange(height * width, dtype=np.float32).reshape(1, height, width)
    before = _hpa_planes._LONGEST
    _hpa_planes._LONGEST = longest
    try:
        pieces = windows(planes, margin)
    finally:
        _hpa_planes._LONGEST = before
    covered = np.zeros((height, width), int)
    wide = np.pad(planes[0], 200, "symmetric")
    for piece in pieces:
        sides = piece.planes.shape[1:]
        assert not any(side % 32 for side in sides)
        covered[piece.rows, piece.columns] += 1
        y, x = 200 + piece.rows.start - piece.inside[0], 200 + piece.columns.start - piece.inside[1]
        np.testing.assert_array_equal(piece.planes[0], wide[y : y + sides[0], x : x + sides[1]])
        core = piece.core(piece.planes.astype(np.uint8))
        np.testing.assert_array_equal(
            core[0], planes[0, piece.rows, piece.columns].astype(np.uint8)
        )
    assert (covered == 1).all()
    assert len(pieces) == -(-height // longest) * -(-width // longest)


def test_a_very_large_field_in_pieces_hardly_differs(monkeypatch, seen):
    one = field(256, 256)
    segmenter(scale=1.0)(one)
    monkeypatch.setattr(_hpa_planes, "_LONGEST", 160)
    segmenter(scale=1.0)(one)
    (whole, *_), (pieces, *_) = seen
    assert whole.shape == pieces.shape
    assert np.abs(whole.astype(int) - pieces.astype(int)).mean() < 1.0


def test_together_is_as_alone_whatever_the_sizes(seen):
    fields = [field(96, 96, seed=1), field(64, 128, seed=2), field(96, 96, seed=3)]
    part = segmenter()
    together = part.many(fields)
    alone = [part(one) for one in fields]
    assert [masks.cells.shape for masks in together] == [one.pixels.shape[1:] for one in fields]
    for number in range(3):
        for first, second in zip(seen[number][:2], seen[3 + number][:2], strict=True):
            np.testing.assert_array_equal(first, second)
    assert len(alone) == 3


def test_eight_views_turn_with_the_field(seen):
    straight = field(128, 96)
    mirrored = Field("b", straight.pixels[:, :, ::-1].copy(), straight.channels)
    # Without a margin behind the field that differs from the one before it.
    part = segmenter(views=8, scale=1.0, margin=0)
    part.many([straight, mirrored])
    (one, cells, *_), (other, others, *_) = seen
    for first, second in ((one, other), (cells, others)):
        assert np.abs(first.astype(int) - second[:, :, ::-1].astype(int)).max() <= 1
    part = segmenter(scale=1.0, margin=0)
    part(straight)
    assert np.abs(seen[-1][0].astype(int) - one.astype(int)).max() > 1


@pytest.mark.parametrize(
    ("known", "given_size", "side"), [(None, None, 32), (0.16, None, 64), (0.16, 0.04, 16)]
)
def test_the_size_of_a_pixel_sets_the_scale(known, given_size, side, seen):
    segmenter(pixel_size=given_size)(field(128, 128, pixel_size=known))
    assert seen[0][0].shape == (3, side, side)
    assert seen[0][3] == (512 if known else None)


@pytest.mark.parametrize(
    ("known", "given_size", "scale"), [(10.0, None, 0.25), (None, 80, 0.25), (0.161, None, 1.0)]
)
def test_a_size_that_would_enlarge_a_field_beyond_all_bounds_sets_it_aside(
    known, given_size, scale, seen
):
    part = segmenter(pixel_size=given_size, scale=scale)
    (found,) = part.many([field(32, 32, pixel_size=known, site="coarse")])
    assert isinstance(found, InputError)
    assert (found.code, found.path) == ("pixel_size", "coarse")
    assert "segment.pixel_size in micrometres" in found.remedy
    assert not seen


def test_a_size_that_would_leave_nothing_of_a_field_sets_it_aside(seen):
    (found,) = segmenter().many([field(32, 32, pixel_size=8e-5, site="fine")])
    assert isinstance(found, InputError)
    assert (found.code, found.path) == ("pixel_size", "fine")
    assert not seen


def test_a_field_may_be_enlarged_twice(seen):
    segmenter(scale=1.0)(field(32, 32, pixel_size=0.16))
    assert seen[0][0].shape == (3, 64, 64)


def without(*names):
    return {name: role for name, role in STAINS.items() if name not in names}


@pytest.mark.parametrize("name", ["blue", "red", "yellow"])
def test_a_field_that_lacks_a_channel_is_set_aside_alone(name, seen):
    found = segmenter().many([field(seed=1), field(stains=without(name), site="b"), field()])
    assert isinstance(found[1], InputError)
    assert found[1].code == "channel_missing"
    assert found[1].path == "b"
    assert repr(STAINS[name]) in str(found[1])
    assert f"read.roles.<name>={STAINS[name]}" in found[1].remedy
    assert ("er_from" in found[1].remedy) == (name == "yellow")
    assert isinstance(found[0], Masks)
    assert isinstance(found[2], Masks)
    with pytest.raises(InputError, match=STAINS[name]):
        segmenter()(field(stains=without(name)))


def test_another_channel_stands_in_for_a_missing_er(seen):
    bare = field(stains=without("yellow"))
    twice = Field(
        "b",
        np.concatenate([bare.pixels, bare.pixels[1:2]]),
        (*bare.channels, Channel("more", "er")),
    )
    empty = Field(
        "c",
        np.concatenate([bare.pixels, np.zeros_like(bare.pixels[:1])]),
        (*bare.channels, Channel("more", "er")),
    )
    segmenter(er_from="microtubule")(bare)
    segmenter()(twice)
    segmenter(er_from="none")(bare)
    # A field that has its own is shown its own.
    segmenter(er_from="microtubule")(empty)
    np.testing.assert_array_equal(seen[0][1], seen[1][1])
    np.testing.assert_array_equal(seen[2][1], seen[3][1])
    assert (seen[0][1] != seen[2][1]).any()
    with pytest.raises(InputError, match="'actin'"):
        segmenter(er_from="actin")(bare)


def test_a_dim_field_can_be_stretched(seen):
    one = field()
    dim = Field("b", one.pixels * np.float32(0.01) + np.float32(0.2), one.channels)
    segmenter(stretch=True).many([one, dim])
    assert np.abs(seen[0][0].astype(int) - seen[1][0].astype(int)).max() <= 1
    flat = np.full((8, 8), 0.5, np.float32)
    assert stretched(flat) is flat


def test_weights_of_another_kind_are_refused():
    def other(name):
        card, tensors = read(name)
        return NetworkCard("x", {"name": "small_unet"}, card.channels, {}), tensors

    with pytest.raises(FormatError, match="does not say how to show it a field"):
        segmenter(read=other)

    with pytest.raises(FormatError, match=r"'dpn_unet_nuclei'.*not 'microtubule'.*wrong network"):
        segmenter(cells="dpn_unet_nuclei")

    def lacking(name):
        card, tensors = read(name)
        return card, {key: value for key, value in tensors.items() if key != "final.0.bias"}

    with pytest.raises(FormatError, match=r"Weights 'dpn_unet_nuclei' do not fit.*final\.0\.bias"):
        segmenter(read=lacking)


def test_it_needs_the_step_for_its_weights():
    with pytest.raises(BadOption, match="called by the step"):
        segmenters.build("hpa_unet")
    with pytest.raises(BadOption, match="views"):
        segmenter(views=3)
    with pytest.raises(BadOption, match="scale"):
        segmenter(scale=0)
