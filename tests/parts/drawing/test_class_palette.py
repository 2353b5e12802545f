"""Colours of classes over images."""

import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import cellwise.app.view as view
from cellwise.parts.drawing.class_palette import OTHER, PALETTE, coloured_classes

PAGE = Path(view.__file__).parent / "static" / "palette.js"


def test_the_page_has_the_same_colours():
    text = PAGE.read_text()
    listed = re.findall(r"#[0-9a-f]{6}", text[text.index("COLOURS") : text.index("];")])
    assert tuple(listed) == PALETTE
    assert f'OTHER = "{OTHER}"' in text


def test_they_are_seen_on_black():
    """Contrast as WCAG 2 computes it; 3 is asked of lines."""
    for colour in (*PALETTE, OTHER):
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        assert (linear @ [0.2126, 0.7152, 0.0722] + 0.05) / 0.05 > 6, colour


@given(st.lists(st.integers(-1, 19), max_size=200))
def test_of_many_classes_those_of_most_cells_have_a_colour(best):
    classes = [f"class {n}" for n in range(20)]
    found = coloured_classes(classes, np.array(best, int))
    assert len(set(found)) == len(PALETTE)
    counts = {name: best.count(n) for n, name in enumerate(classes)}
    least = min(counts[name] for name in found)
    assert all(counts[name] <= least for name in classes if name not in found)


def test_of_few_all_have_in_their_order():
    assert coloured_classes(["b", "a"], np.array([1, 1])) == ["b", "a"]
