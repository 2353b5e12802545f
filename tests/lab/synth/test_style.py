"""Looks: ones and zeros change nothing, anything else changes the drawing and keeps its place."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lab.synth.made_cells import PLAIN, landmarks, pattern, plan

from cellwise.lab.synth.field import render_field
from cellwise.lab.synth.foreign.ranges import LOOK
from cellwise.lab.synth.style import LANDMARKS, USUAL_LOOK, Look, Shape, Style

INTERPHASE = [index for index in range(19) if index != 11]


@pytest.fixture(scope="module")
def cells():
    return landmarks(3)


def inside(name):
    low, high = LOOK[name][1:]
    return st.floats(low, high)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(INTERPHASE),
    st.fixed_dictionaries({f.name: inside(f.name) for f in fields(Look)}),
)
def test_any_look_of_the_family_gives_light_in_the_cell_only(cells, index, values):
    made = cells[0].looking(Look(**values))
    light = pattern(index, made)
    assert np.isfinite(light).all()
    assert (light >= 0).all()
    assert light.max() > 0
    body = made.window.body > 0
    assert light[body].sum() > 0.8 * light.sum()


@pytest.mark.parametrize("name", [f.name for f in fields(Look) if f.name != "mottle_um"])
def test_each_part_of_a_look_changes_some_pattern(cells, name):
    changed = {"hollow": 0.6, "mottle": 0.4, "polarity": 0.5, "inward": 1.0}.get(name, 1.5)
    other = cells[0].looking(replace(USUAL_LOOK, **{name: changed}))
    assert any(not np.array_equal(pattern(k, other), pattern(k, cells[0])) for k in (5, 14, 17))


def test_larger_spots_are_larger_and_more_of_them_are_more(cells):
    usual = np.mean([(pattern(5, made) > 0.5).sum() for made in cells])
    larger = np.mean([(pattern(5, m.looking(Look(size=1.6))) > 0.5).sum() for m in cells])
    more = np.mean([(pattern(5, m.looking(Look(count=2.0))) > 0.5).sum() for m in cells])
    assert larger > 1.3 * usual
    assert more > 1.3 * usual
    assert Look(count=0.01).many(5) == 1
    assert Look(count=3.0).many(0) == 0


@pytest.mark.parametrize("name", LANDMARKS)
def test_a_landmark_with_another_look_is_drawn_otherwise(name):
    usual = plan(classes=(18,), count=3, margin=0, size=128, optics=PLAIN)
    styled = replace(usual, style=Style(looks={name: Look(size=1.5, elsewhere=1.5)}))
    one, other = (render_field(made) for made in (usual, styled))
    assert np.array_equal(one.cells, other.cells)
    channels = {"filaments": 0, "chromatin": 2, "nucleoli": 2, "reticulum": 3}
    assert not np.array_equal(one.pixels[channels[name]], other.pixels[channels[name]])


def test_other_shapes_are_other_cells_and_the_usual_style_is_no_style():
    usual = plan(count=3, margin=0, size=128)
    same = replace(usual, style=Style(looks={"5": Look()}, shape=Shape()))
    rough = replace(usual, style=Style(shape=Shape(waver=0.2, off_centre=0.35)))
    one, two, three = (render_field(made) for made in (usual, same, rough))
    assert one.pixels.tobytes() == two.pixels.tobytes()
    assert not np.array_equal(one.cells, three.cells)
