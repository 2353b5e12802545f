"""From a protein to the labels of its fields: cells, images, the majority, the order of draws."""

from dataclasses import replace

import numpy as np
import pytest

from cellwise.lab.synth.hpa.cell_lines import draw_cell_lines, draw_count, line_density
from cellwise.lab.synth.hpa.fields import plan_field
from cellwise.lab.synth.hpa.label_sets import NEGATIVE, SPINDLE
from cellwise.lab.synth.hpa.labels import draw_sample, draw_samples, make_label_model, with_scv
from cellwise.lab.synth.hpa.strata import LEAST_FIELDS, draw_part
from cellwise.lab.synth.severity import SEVERITIES

DEFAULT = SEVERITIES["default"]
MODEL = make_label_model(7, DEFAULT, side_um=163.84)
SMALL = make_label_model(7, DEFAULT, side_um=81.92)


def same(one, other):
    assert one.verdict == other.verdict
    assert one.counts == other.counts
    for name in ("shown", "weights", "intensity", "phase"):
        assert np.array_equal(getattr(one.cells, name), getattr(other.cells, name))


def test_a_sample_does_not_depend_on_what_was_drawn_before():
    late = [draw_sample(MODEL, "train", n) for n in (5, 3)]
    again = [draw_sample(MODEL, "train", n) for n in (3, 5)]
    same(late[0], again[1])
    same(late[1], again[0])


def test_other_seeds_parts_and_numbers_are_other_samples():
    other = make_label_model(8, DEFAULT, side_um=163.84)
    drawn = [
        draw_sample(MODEL, "train", 0),
        draw_sample(MODEL, "train", 1),
        draw_sample(MODEL, "test", 0),
        draw_sample(other, "train", 0),
    ]
    assert len({sample.cells.intensity.tobytes() for sample in drawn}) == 4


def test_every_label_of_the_protein_is_in_the_majority_of_its_images():
    for sample in draw_samples(MODEL, images=300):
        assert sample.agreed
        for label in sample.verdict.protein:
            seen = sum(
                sample.cells.shown[sample.image(i), label].sum() >= max(1, count // 20)
                for i, count in enumerate(sample.counts)
            )
            assert seen > (0 if label == SPINDLE else len(sample.counts) / 2)


def test_images_of_a_sample_follow_each_other_in_its_cells():
    sample = next(s for s in draw_samples(MODEL, images=60) if len(s.counts) > 2)
    slices = [sample.image(n) for n in range(len(sample.counts))]
    assert [s.stop - s.start for s in slices] == list(sample.counts)
    assert slices[0].start == 0
    assert slices[-1].stop == len(sample.cells.intensity)


def test_the_last_sample_is_cut_to_the_number_of_images():
    for images in (1, 2, 17, 40):
        assert sum(len(s.counts) for s in draw_samples(SMALL, images=images)) == images


def test_a_rare_label_that_cannot_be_seen_is_said_not_hidden():
    """A spindle in a field of one cell is hardly ever there; the sample says so."""
    speck = make_label_model(1, replace(DEFAULT, mitotic_beta=(1.0, 10_000.0)), side_um=10.0)
    spindles = speck.sets.given(SPINDLE)
    samples = [draw_sample(speck, n, at_most=1, sets=spindles) for n in range(3)]
    for sample in samples:
        seen = sample.cells.shown[:, list(sample.verdict.protein)].any(0)
        assert sample.agreed == seen.all()
    assert not all(sample.agreed for sample in samples)


def test_cells_per_field_have_the_quantiles_of_the_challenge():
    rng = np.random.default_rng(0)
    density = [line_density(n % 11, 11) for n in range(8000)]
    counts = np.array([draw_count(d, side_um=163.84, rng=rng) for d in density])
    found = np.quantile(counts, [0.05, 0.25, 0.5, 0.75, 0.95])
    assert found == pytest.approx([9, 13, 18, 27, 46], abs=1.5)
    assert counts.mean() == pytest.approx(21.7, rel=0.05)


@pytest.mark.parametrize(("side_um", "mean"), [(163.84, 21.7), (81.92, 5.4), (327.68, 86.8)])
def test_cells_per_field_grow_with_its_area(side_um, mean):
    rng = np.random.default_rng(1)
    density = [line_density(n % 11, 11) for n in range(3000)]
    counts = [draw_count(d, side_um=side_um, rng=rng) for d in density]
    assert np.mean(counts) == pytest.approx(mean, rel=0.06)


def test_a_field_has_at_least_one_cell_however_small():
    rng = np.random.default_rng(2)
    assert {draw_count(-2.0, side_um=5.0, rng=rng) for _ in range(50)} == {1}


def test_a_world_has_8_to_17_cell_lines_of_its_own():
    counts = {len(draw_cell_lines(seed)) for seed in range(60)}
    assert counts <= set(range(8, 18))
    assert len(counts) > 4
    lines = draw_cell_lines(3)
    assert [line.area for line in lines] == sorted((line.area for line in lines), reverse=True)
    assert lines == draw_cell_lines(3)
    assert lines != draw_cell_lines(4)


def test_more_varying_labels_make_inherited_ones_less_right():
    def precision(scv):
        model = make_label_model(1, with_scv(DEFAULT, scv), side_um=163.84)
        right = every = 0
        for sample in draw_samples(model, images=400):
            labels = [k for k in sample.verdict.given if k != NEGATIVE]
            right += sample.cells.shown[:, labels].sum()
            every += sample.cells.shown[:, labels].size
        return right / every

    figures = [precision(scv) for scv in (0.0, 0.5, 1.0)]
    assert figures[0] > figures[1] + 0.1 > figures[2] + 0.2


def test_a_plan_holds_the_sample_as_it_was_drawn():
    sample = draw_sample(MODEL, "train", 4)
    plan = plan_field(MODEL, sample, 0, index=9, size=512, pixel_size=0.32)
    assert len(plan.cells) == sample.counts[0]
    for cell, shown in zip(plan.cells, sample.cells.shown[sample.image(0)], strict=True):
        assert cell.shown == tuple(np.flatnonzero(shown))
        assert set(cell.shown) <= {k for k, _ in cell.weights}
        shares = [share for _, share in cell.weights]
        assert shares == sorted(shares, reverse=True)
    assert plan.margin_cells
    assert plan.line == MODEL.lines[sample.line]
    assert 0.10 <= min(plan.optics.psf_um) <= max(plan.optics.psf_um) <= 0.13


def test_as_it_comes_a_part_is_the_first_samples():
    drawn = draw_part(SMALL, "test", fields=30, least=0)
    for number, sample in enumerate(drawn[:-1]):
        same(sample, draw_sample(SMALL, "test", number))


def test_with_a_least_number_classes_have_enough_cells_of_enough_fields():
    least = 10
    samples = draw_part(SMALL, "test", fields=150, least=least)
    cells, fields = np.zeros(19), np.zeros(19)
    for sample in samples:
        shown = sample.cells.shown.copy()
        shown[:, NEGATIVE] = ~shown.any(1)
        for image in range(len(sample.counts)):
            count = shown[sample.image(image)].sum(0)
            cells += count
            fields += count > 0
    assert sum(len(sample.counts) for sample in samples) == 150
    enough = (cells >= least) & (fields >= LEAST_FIELDS)
    assert enough.sum() >= 17
    plain = draw_part(SMALL, "test", fields=150, least=0)
    rare = np.zeros(19)
    for sample in plain:
        rare += sample.cells.shown.sum(0)
    assert (rare[:NEGATIVE] < least).sum() > (cells[:NEGATIVE] < least).sum()


def test_hard_fields_have_many_labels_and_cells_few():
    model = make_label_model(1, SEVERITIES["hard"], side_um=81.92)
    samples = draw_samples(model, images=150)
    labels = [len(s.verdict.given) for s in samples]
    shown = np.concatenate([s.cells.shown.sum(1) for s in samples])
    assert 3 <= np.mean(labels) <= 4.5
    assert 1 <= shown.mean() <= 1.5
    assert max(len(s.counts) for s in samples) == 2


def test_only_severity_decides_how_many_images_a_sample_has():
    single = replace(DEFAULT, images=(1.0,))
    model = make_label_model(1, single, side_um=81.92)
    assert {len(s.counts) for s in draw_samples(model, images=20)} == {1}
