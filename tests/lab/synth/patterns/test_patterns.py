"""Patterns: the light of each class lies where its recipe says, measured on masks alone."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label
from tests.lab.synth.made_cells import landmarks, pattern

from cellwise.lab.synth.landmarks import red
from cellwise.lab.synth.patterns import draw_pattern
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.texture import level

PIXEL = 0.32
INTERPHASE = [index for index in range(19) if index != 11]


@pytest.fixture(scope="module")
def resting():
    return [made for seed in range(2) for made in landmarks(10, seed=seed)]


@pytest.fixture(scope="module")
def dividing():
    return landmarks(10, mitotic=True)


def drawn(index, cells):
    """The class in each cell, each cell with a look of its own: `[(pattern, landmarks)]`."""
    return [(pattern(index, made, number=n, look=n), made) for n, made in enumerate(cells)]


def places(made):
    """Masks made from the label masks alone."""
    cell = made.window.cell
    nucleus, mask = cell.nucleus, cell.mask
    signed = (distance_transform_edt(nucleus) - distance_transform_edt(~nucleus)) * PIXEL
    y, x = np.indices(mask.shape) * PIXEL
    rows, columns = np.nonzero(nucleus)
    dy, dx = y - rows.mean() * PIXEL, x - columns.mean() * PIXEL
    towards = np.arctan2(cell.mtoc[0] - rows.mean() * PIXEL, cell.mtoc[1] - columns.mean() * PIXEL)
    turn = np.abs(np.angle(np.exp(1j * (np.arctan2(dy, dx) - towards))))
    return {
        "cell": mask,
        "nucleus": nucleus,
        "cytoplasm": mask & ~nucleus,
        "rim": np.abs(signed) < 0.65,
        "edge": mask & (distance_transform_edt(mask) * PIXEL < 1.3),
        "sector": (turn < 1.2) & (signed < 2.0) & (signed > -7),
        "nucleoli": made.nucleolar > 0.3,
        "centre": np.hypot(y - cell.mtoc[0], x - cell.mtoc[1]) < 1.6,
    }


def brightest(plane):
    """Mean of the three brightest pixels: the smallest structure is no larger."""
    return np.sort(plane.ravel())[-3:].mean()


def shares(index, cells, place):
    """Median over cells of the share of light, less the diffuse part, that lies in a place."""
    found = []
    for plane, made in drawn(index, cells):
        here = places(made)
        strong = np.maximum(plane - 0.3 * brightest(plane), 0)
        found.append(strong[here[place]].sum() / strong.sum())
    return float(np.median(found))


@pytest.mark.parametrize(
    ("index", "place", "at_least"),
    [
        (0, "nucleus", 0.97),
        (1, "rim", 0.85),
        (2, "nucleoli", 0.85),
        (3, "nucleoli", 0.85),
        (4, "nucleus", 0.95),
        (5, "nucleus", 0.9),
        (6, "cytoplasm", 0.9),
        (7, "sector", 0.85),
        (8, "cytoplasm", 0.95),
        (9, "cell", 0.98),
        (10, "cytoplasm", 0.95),
        (12, "centre", 0.5),
        (13, "edge", 0.75),
        (14, "cytoplasm", 0.97),
        (15, "sector", 0.75),
        (16, "cytoplasm", 0.97),
        (17, "cytoplasm", 0.97),
    ],
)
def test_light_lies_where_the_recipe_says(resting, index, place, at_least):
    assert shares(index, resting, place) >= at_least


@pytest.mark.parametrize("index", INTERPHASE)
def test_every_pattern_is_light_inside_its_cell(resting, dividing, index):
    for cells in (resting, dividing):
        for plane, made in drawn(index, cells):
            assert plane.dtype == np.float32
            assert np.isfinite(plane).all()
            assert plane.min() >= 0
            # A line of half a micrometre may lie on the edge.
            assert plane[made.window.cell.mask].sum() > 0.97 * plane.sum()


@pytest.mark.parametrize("index", [i for i in INTERPHASE if i != 18])
def test_the_structure_is_about_as_bright_as_asked(resting, index):
    """Brightness 1 is a mean over the structure: the brightest pixels lie above it."""
    assert all(0.9 < brightest(plane) < 6 for plane, _ in drawn(index, resting))


def pieces(plane, threshold):
    return label(plane > threshold * plane.max())[1]


def test_nucleoplasm_leaves_nucleoli_dark(resting):
    for plane, made in drawn(0, resting):
        rest = made.window.cell.nucleus & (made.nucleolar == 0)
        assert plane[made.nucleolar > 0.9].mean() < 0.55 * plane[rest].mean()


def test_fibrillar_centres_are_smaller_than_nucleoli_in_the_same_place(resting):
    large = np.median([(p > 0.5).sum() for p, _ in drawn(2, resting)])
    small = np.median([(p > 0.5 * p.max()).sum() for p, _ in drawn(3, resting)])
    assert small < 0.4 * large


def test_speckles_are_more_and_larger_than_bodies(resting):
    areas = {
        index: np.median([(p > 0.5 * p.max()).sum() for p, _ in drawn(index, resting)])
        for index in (4, 5)
    }
    counts = {
        index: np.median([pieces(p, 0.5) for p, _ in drawn(index, resting)]) for index in (4, 5)
    }
    assert areas[4] > 2 * areas[5]
    assert counts[4] > counts[5]


def test_speckles_avoid_nucleoli(resting):
    for plane, made in drawn(4, resting):
        rest = made.window.cell.nucleus & (made.nucleolar == 0)
        assert plane[made.nucleolar > 0.9].mean() < 0.5 * plane[rest].mean()


def test_the_reticulum_follows_the_yellow_stain(resting):
    likeness = [
        np.corrcoef(p[m.window.cell.mask], m.reticulum[m.window.cell.mask])[0, 1]
        for p, m in drawn(6, resting)
    ]
    assert np.median(likeness) > 0.7


def test_microtubules_follow_red_but_are_not_red(resting):
    """Table 7.4: correlation .6 to .9."""
    likeness = []
    for plane, made in drawn(10, resting):
        mask = made.window.cell.mask
        stain = red(made, rng=generator(0, "red"))
        likeness.append(np.corrcoef(plane[mask], stain[mask])[0, 1])
    assert 0.6 < np.mean(likeness) < 0.9
    assert min(likeness) > 0.55
    assert max(likeness) < 0.95


@pytest.mark.parametrize("index", [i for i in INTERPHASE if i != 10])
def test_no_other_class_follows_red_as_closely(resting, index):
    likeness = []
    for plane, made in drawn(index, resting):
        mask = made.window.cell.mask
        stain = red(made, rng=generator(0, "red"))
        likeness.append(np.corrcoef(plane[mask], stain[mask])[0, 1])
    assert np.mean(likeness) < 0.6


def test_golgi_centrosome_and_aggresome_share_their_place_and_differ_in_size(resting):
    sizes = {}
    for index in (7, 12, 15):
        offsets, areas = [], []
        for plane, made in drawn(index, resting):
            strong = np.maximum(plane - 0.3 * plane.max(), 0)
            y, x = np.indices(plane.shape) * PIXEL
            middle = [(strong * axis).sum() / strong.sum() for axis in (y, x)]
            offsets.append(np.hypot(middle[0] - made.window.cell.mtoc[0],
                                    middle[1] - made.window.cell.mtoc[1]))  # fmt: skip
            areas.append((plane > 0.4 * plane.max()).sum() * PIXEL**2)
        assert np.median(offsets) < 4
        sizes[index] = np.median(areas)
    assert sizes[12] < 0.25 * min(sizes[7], sizes[15])


def test_an_aggresome_is_one_blob_and_a_golgi_is_in_pieces(resting):
    assert all(pieces(p, 0.5) == 1 for p, _ in drawn(15, resting))
    assert np.median([pieces(p, 0.4) for p, _ in drawn(7, resting)]) >= 3
    areas = [(p > 0.5 * p.max()).sum() * PIXEL**2 for p, _ in drawn(15, resting)]
    assert np.sqrt(np.median(areas) / np.pi) == pytest.approx(1.75, abs=0.75)


def test_stress_fibres_are_parallel(resting):
    """The structure tensor of actin has one direction; that of microtubules has many."""

    def coherence(plane, mask):
        dy, dx = np.gradient(plane.astype(float))
        yy, xx, yx = ((a * b)[mask].sum() for a, b in ((dy, dy), (dx, dx), (dy, dx)))
        return np.hypot(yy - xx, 2 * yx) / (yy + xx)

    def inner(made):
        return made.window.edge > 2

    actin = [coherence(p, inner(m)) for p, m in drawn(9, resting)]
    tubules = [coherence(p, inner(m)) for p, m in drawn(10, resting)]
    assert np.median(actin) > 0.7
    assert np.median(tubules) < 0.4


def test_plasma_membrane_is_stronger_at_contacts(resting):
    higher = []
    for plane, made in drawn(13, resting):
        rim = made.window.cell.mask & (made.window.edge < 0.4)
        touching = rim & (made.window.contact > 0.5)
        free = rim & (made.window.contact < 0.05)
        if touching.sum() > 20 and free.sum() > 20:
            higher.append(plane[touching].mean() / plane[free].mean())
    assert len(higher) >= 5
    assert np.median(higher) > 1.2


def test_vesicles_and_mitochondria_are_grainier_than_cytosol(resting):
    def roughness(index):
        values = []
        for plane, made in drawn(index, resting):
            inner = (made.window.edge > 1.5) & (made.window.away > 1)
            values.append(plane[inner].std() / plane[inner].mean())
        return np.median(values)

    smooth = roughness(16)
    assert smooth < 0.4
    assert roughness(6) > 1.3 * smooth
    assert roughness(14) > 2 * smooth
    assert roughness(17) > 2 * smooth


def test_negative_has_no_structure_and_little_light(resting):
    for plane, made in drawn(18, resting):
        inside = plane[made.window.cell.mask]
        assert 0.005 < inside.mean() < 0.11
        fine = plane - np.roll(plane, 1, axis=0)
        assert np.abs(fine[made.window.edge > 1]).mean() < 0.1 * inside.mean()


def test_the_spindle_is_drawn_in_dividing_cells_only(resting, dividing):
    with pytest.raises(ValueError, match="only dividing cells"):
        pattern(11, resting[0])
    for plane, made in drawn(11, dividing):
        strong = np.maximum(plane - 0.3 * level(plane), 0)
        assert strong[made.spindle.inside > 0].sum() > 0.7 * strong.sum()


def test_centrosomes_are_at_the_poles_in_mitosis(dividing):
    for plane, made in drawn(12, dividing):
        y, x = np.indices(plane.shape) * PIXEL
        near = np.zeros(plane.shape, bool)
        for pole in made.spindle.poles:
            near |= np.hypot(y - pole[0], x - pole[1]) < 1.0
        strong = np.maximum(plane - 0.3 * plane.max(), 0)
        assert strong[near].sum() > 0.9 * strong.sum()


def test_no_nuclear_rim_in_mitosis(dividing):
    for plane, made in drawn(1, dividing):
        rim = np.abs(made.window.depth - made.window.away) < 0.65
        assert plane[rim].sum() < 0.2 * plane.sum()


def test_unknown_classes_are_named(resting):
    with pytest.raises(ValueError, match=r"class 19 not drawn: classes are 0\.\.18"):
        pattern(19, resting[0])


@pytest.mark.parametrize("index", range(19))
def test_a_pattern_is_its_streams_alone(resting, dividing, index):
    made = dividing[0] if index == 11 else resting[0]
    first = pattern(index, made, number=1, look=2)
    pattern(16, made, number=5)
    assert (pattern(index, made, number=1, look=2) == first).all()
    if index != 12:
        assert (pattern(index, made, number=2, look=2) != first).any()


def test_a_look_is_what_cells_share(resting):
    """Two cells of one look have vesicle counts closer than two cells of different looks."""

    def count(made, look, number):
        plane = draw_pattern(17, made, look=generator(look, "look"), rng=generator(number, "own"))
        return pieces(plane, 0.35)

    same, other = [], []
    for look in range(10):
        first = count(resting[0], look, 1)
        same.append(abs(first - count(resting[0], look, 2)))
        other.append(abs(first - count(resting[0], look + 50, 2)))
    assert np.mean(same) < np.mean(other)


@pytest.mark.parametrize("pixel_size", [0.08, 0.16, 0.64])
@pytest.mark.parametrize("index", INTERPHASE)
def test_patterns_are_drawn_at_any_pixel_size(index, pixel_size):
    made = landmarks(1, pixel_size=pixel_size)[0]
    plane = pattern(index, made)
    assert plane.shape == made.window.shape
    assert plane.max() > 0
