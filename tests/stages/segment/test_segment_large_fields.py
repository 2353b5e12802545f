"""Large fields in `small_unet`: tiles and a sample give what the whole field gives."""

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests.masked_images import discs, lit

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.kernels.components import label_components
from cellwise.kernels.flood import flood_in_tiles
from cellwise.kernels.matching import f1_at
from cellwise.parts.pixel_nets import small_unet as net
from cellwise.stages.segment import segmenters
from cellwise.stages.segment.small_unet import large
from cellwise.store.network_weights import find_network, read_network


def segmenter(**options):
    def read(name):
        return read_network(find_network(name))

    spec = {"name": "small_unet", "read": read, "threads": 1, "views": 1}
    return segmenters.build({**spec, **options})


@pytest.fixture(scope="module")
def parts():
    """The same segmenter for which every field is large, and for which none is."""
    return segmenter(large=1), segmenter(large=2**40)


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles so small that a test's field has many, with as much around them as large ones have."""
    monkeypatch.setattr(net, "_LARGE_TILE", 320)
    monkeypatch.setattr(large, "_SIDE", 140)
    monkeypatch.setattr(large, "flood_in_tiles", partial(flood_in_tiles, tile=128))


def field_of(seed, shape, radius, *, body):
    """Nuclei that touch here and there and, where asked for, bodies around them."""
    rng = np.random.default_rng(seed)
    side = max(shape)
    count = int(0.35 * side**2 / (np.pi * radius**2))
    labels = discs(seed, side=side, count=count, radius=radius)[: shape[0], : shape[1]]
    nuclei = lit(labels) / np.float32(255)
    planes = [nuclei]
    if body:
        from cv2 import GaussianBlur

        wide = GaussianBlur((labels > 0).astype(np.float32), (0, 0), radius / 2)
        planes.append((wide * 0.5 + rng.normal(0.05, 0.01, shape)).clip(0, 1).astype(np.float32))
    roles = ("nucleus", "er")[: len(planes)]
    pixels = np.stack([np.asarray(plane, np.float32) for plane in planes])
    return Field("s", pixels, tuple(Channel(role, role) for role in roles))


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=some.integers(0, 1000),
    shape=some.tuples(some.integers(430, 520), some.integers(430, 520)),
    radius=some.floats(10, 16),
    body=some.booleans(),
)
def test_tiles_give_what_the_whole_field_gives(parts, small_tiles, seed, shape, radius, body):
    field = field_of(seed, shape, radius, body=body)
    tiled, whole = (part(field) for part in parts)
    count = int(whole.nuclei.max())
    assert count > 60
    assert abs(int(tiled.nuclei.max()) - count) <= max(1, 0.005 * count)
    (agreed,) = f1_at(tiled.nuclei, whole.nuclei, thresholds=(0.8,))
    assert agreed.f1 > 0.985
    (agreed,) = f1_at(tiled.cells, whole.cells, thresholds=(0.7,))
    assert agreed.f1 > 0.97
    for labels in (tiled.nuclei, tiled.cells):
        # Nothing on a seam is in two pieces; where pixels were made larger a corner may come off.
        assert label_components(labels).max() <= labels.max() * 1.01


def test_maps_of_tiles_are_those_of_the_whole_field(small_tiles):
    module = net.build(width=4).eval()
    planes = np.random.default_rng(3).random((3, 500, 470), np.float32)
    whole = net.make_predictor(module)(planes)

    def show(rows, columns):
        return planes[:, rows, columns]

    tiled = net.make_field_predictor(module)(show, (500, 470))
    np.testing.assert_allclose(tiled / 65535, whole, atol=4e-5)


@pytest.mark.parametrize("shape", [(30, 600), (600, 30), (141, 141), (1, 300)])
def test_a_field_of_any_shape(parts, small_tiles, shape):
    plane = np.random.default_rng(0).normal(0.1, 0.01, shape).clip(0, 1).astype(np.float32)
    plane[: shape[0] // 2 + 1, 8:24] += 0.5
    masks = parts[0](Field("s", plane[None], (Channel("n", "nucleus"),)))
    assert masks.cells.shape == masks.nuclei.shape == shape


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_field_without_nuclei_has_none(parts, small_tiles, noise):
    plane = np.random.default_rng(0).normal(0.1, noise, (300, 300)).astype(np.float32)
    masks = parts[0](Field("s", plane[None], (Channel("n", "nucleus"),)))
    assert masks.cells.max() == 0


def test_a_few_nuclei_in_a_corner_are_found(parts, small_tiles):
    plane = np.random.default_rng(1).normal(0.1, 0.004, (560, 560)).clip(0, 1).astype(np.float32)
    labels = discs(4, side=90, count=5, radius=10)
    plane[460:550, 465:555] += (labels > 0) * np.float32(0.5)
    masks = parts[0](Field("s", plane[None], (Channel("n", "nucleus"),)))
    assert masks.nuclei.max() == labels.max()


def test_a_large_field_is_seen_once_and_never_enlarged(monkeypatch, small_tiles):
    seen = []
    make = net.make_field_predictor

    def counted(*given, **options):
        predict = make(*given, **options)

        def one(show, shape):
            seen.append(shape)
            return predict(show, shape)

        return one

    monkeypatch.setattr(net, "make_field_predictor", counted)
    labels = discs(2, side=300, count=60, radius=6)
    masks = segmenter(large=1, views=8)(
        Field("s", (lit(labels) / np.float32(255))[None], (Channel("n", "nucleus"),))
    )
    assert seen == [(300, 300)]
    (found,) = f1_at(masks.nuclei, labels, thresholds=(0.5,))
    assert found.f1 > 0.9
