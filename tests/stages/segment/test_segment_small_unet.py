"""The segmenter `small_unet` with the weights that ship: what it finds, and what nothing gives."""

import numpy as np
import pytest
from tests.lab.synth.made_cells import plan
from tests.masked_images import discs, lit

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import BadOption, FormatError, InputError
from cellwise.kernels.matching import f1_at, find_overlaps, match
from cellwise.lab.synth.field import render_field
from cellwise.stages.segment import segmenters
from cellwise.store.network_weights import NetworkCard, find_network, read_network


def read(name):
    return read_network(find_network(name))


@pytest.fixture(scope="module")
def part():
    return segmenters.build({"name": "small_unet", "read": read, "threads": 1})


def field_of(*planes, roles=("nucleus", "er")):
    pixels = np.stack([np.asarray(plane, np.float32) for plane in planes])
    return Field("s", pixels, tuple(Channel(role, role) for role in roles[: len(planes)]))


def well_formed(masks, shape):
    assert masks.cells.shape == masks.nuclei.shape == shape
    assert masks.cells.dtype in (np.uint16, np.uint32)
    count = int(masks.cells.max(initial=0))
    assert set(np.unique(masks.cells)) | {0} == set(range(count + 1))
    inside = masks.nuclei > 0
    np.testing.assert_array_equal(masks.cells[inside], masks.nuclei[inside])
    return count


@pytest.mark.parametrize("scale", [10, 22, 60, 120])
def test_nuclei_of_any_size_without_a_setting(part, scale):
    side = max(int(scale * 5.5), 96)
    labels = discs(5, side=side, count=12, radius=scale / 2)
    masks = part(field_of(lit(labels) / 255))
    well_formed(masks, labels.shape)
    found = f1_at(masks.nuclei, labels, thresholds=(0.5, 0.7))
    assert found[0].f1 >= 0.9
    assert found[1].f1 >= 0.85


def test_depth_and_gain_do_not_matter(part):
    labels = discs(6, side=160, count=20)
    plane = lit(labels, full=120)
    eight = part(field_of(plane / np.float32(255)))
    for other in (
        plane.astype(np.float32) * 257 / 65535,
        plane.astype(np.float32) / 255 * 0.01,
        plane.astype(np.float32) / 255 * 0.5 + 0.3,
    ):
        masks = part(field_of(other))
        assert well_formed(masks, labels.shape) == eight.cells.max()
        assert np.mean((masks.nuclei > 0) != (eight.nuclei > 0)) < 0.002


@pytest.mark.parametrize("shape", [(64, 200), (131, 97), (33, 33), (1, 40)])
def test_odd_and_unequal_sides(part, shape):
    plane = np.random.default_rng(0).normal(0.1, 0.01, shape).clip(0, 1)
    plane[: shape[0] // 2 + 1, 10:25] += 0.5
    well_formed(part(field_of(plane)), shape)
    well_formed(part(field_of(plane, plane)), shape)


@pytest.mark.parametrize(
    "plane",
    [
        np.zeros((80, 90)),
        np.ones((80, 90)),
        np.full((80, 90), 0.3),
        np.random.default_rng(0).normal(0.2, 0.01, (200, 200)).clip(0, 1),
        np.random.default_rng(0).poisson(3, (200, 200)) / 255,
    ],
    ids=["black", "saturated", "constant", "noise", "photons"],
)
def test_nothing_gives_empty_masks(part, plane):
    assert well_formed(part(field_of(plane)), plane.shape) == 0
    assert well_formed(part(field_of(plane, plane)), plane.shape) == 0


def test_one_giant_blob_is_at_most_a_few_nuclei(part):
    y, x = np.mgrid[:300, :300]
    plane = np.where(np.hypot(y - 150, x - 150) < 140, 0.8, 0.02)
    assert well_formed(part(field_of(plane)), plane.shape) <= 3


def test_without_a_body_cells_are_rings_and_with_one_they_fill_it(part):
    nuclei = discs(1, side=220, count=5, radius=12)
    y, x = np.mgrid[:220, :220]
    body = np.zeros(nuclei.shape)
    for number in range(1, nuclei.max() + 1):
        middle = np.argwhere(nuclei == number).mean(axis=0)
        body += np.hypot(y - middle[0], x - middle[1]) < 26
    body = lit((body > 0).astype(np.uint16)) / 255
    rings = part(field_of(lit(nuclei) / 255))
    cells = part(field_of(lit(nuclei) / 255, body))
    area = [np.count_nonzero(masks.cells) for masks in (rings, cells)]
    assert area[0] > 1.5 * np.count_nonzero(rings.nuclei)
    assert area[1] > 1.2 * area[0]


@pytest.mark.parametrize("name", ["watershed", "small_unet"])
def test_simulated_cells_are_found(part, name):
    """Fields that no training has seen, cells that their edge cuts included."""
    find = part if name == "small_unet" else segmenters.build(name)
    hits = total = 0
    for index in range(3):
        made = render_field(plan(size=384, count=14, margin=120, index=index))
        roles = ("microtubule", "protein", "nucleus", "er")
        planes = (made.pixels / np.iinfo(made.pixels.dtype).max).astype(np.float32)
        masks = find(Field("f", planes, tuple(Channel(role, role) for role in roles)))
        counted = [member.cell_id for member in made.members if not member.ignored]
        overlaps = find_overlaps(masks.cells, made.cells)
        found = overlaps.true_ids[match(overlaps, 0.6)[:, 1]]
        hits += len(np.intersect1d(found, counted))
        total += len(counted)
    assert total >= 30
    assert hits >= 0.95 * total


def test_no_nucleus_channel_sets_the_field_aside(part):
    plane = np.zeros((40, 40))
    with pytest.raises(InputError, match="nucleus"):
        part(field_of(plane, plane, roles=("protein", "er")))


@pytest.mark.parametrize("views", [0, 3, 16])
def test_impossible_views_are_refused(views):
    with pytest.raises(BadOption, match="views"):
        segmenters.build({"name": "small_unet", "read": read, "views": views})


def test_it_is_built_by_the_step():
    with pytest.raises(BadOption, match="step"):
        segmenters.build("small_unet")


def test_weights_of_another_network_are_refused():
    card = NetworkCard("other", {"name": "dpn_unet"}, ("nucleus",))
    with pytest.raises(FormatError, match="dpn_unet"):
        segmenters.build({"name": "small_unet", "read": lambda name: (card, {})})


def test_the_shipped_file_is_small_and_says_what_it_is():
    path = find_network("small_unet")
    assert path.stat().st_size <= 6_000_000
    card, tensors = read(str(path))
    weights = [array for name, array in tensors.items() if "running" not in name]
    assert 0.8e6 < sum(array.size for array in weights) < 1.3e6
    assert card.facts["cells"] is True
    assert {"command", "held_out", "licence"} <= set(card.facts)
    assert "CC0" in card.facts["licence"]
    page = path.with_suffix(".md").read_text(encoding="utf-8")
    assert card.facts["command"] in page


def test_one_view_is_one_pass_at_each_size(monkeypatch):
    """The last look is not taken twice where nothing is turned."""
    from cellwise.parts.pixel_nets import small_unet

    views = []
    make = small_unet.make_predictor

    def counted(net, **options):
        predict = make(net, **options)

        def one(planes):
            views.append(options["views"])
            return predict(planes)

        return one

    monkeypatch.setattr(small_unet, "make_predictor", counted)
    plane = lit(discs(5)) / 255
    looks = {}
    for count in (1, 8):
        views.clear()
        part = segmenters.build({"name": "small_unet", "read": read, "views": count})
        assert well_formed(part(field_of(plane)), plane.shape) > 0
        looks[count] = list(views)
    assert looks[8] == [*looks[1], 8]
