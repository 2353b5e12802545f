"""Colours of classes: all different, grey for none, and the same for the same place."""

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from cellwise.parts.drawing.class_colours import NO_CLASS, class_colours


def test_the_classes_of_the_atlas_are_told_apart():
    names = [f"class {k}" for k in range(19)]
    colours = np.array(list(class_colours(names).values())) / 255
    places = rgb2lab(colours[None])[0]
    away = deltaE_ciede2000(places[:, None], places[None])
    assert away[~np.eye(19, dtype=bool)].min() > 12


def test_few_of_a_thousand_classes_share_a_colour():
    colours = class_colours([f"siRNA {k}" for k in range(1108)])
    assert len(set(colours.values())) > 1000
    assert all(0 <= part <= 255 for colour in colours.values() for part in colour)


def test_the_negative_class_is_grey_and_moves_no_other():
    plain = class_colours(["a", "Negative", "b"])
    told = class_colours(["a", "Negative", "b"], "Negative")
    assert told.pop("Negative") == NO_CLASS != plain.pop("Negative")
    assert told == plain
