"""Class maps are drawn where a run kept them."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from tests.app.view.conftest import write_run

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.drawing.class_maps import Maps
from cellwise.store.run.class_maps import ClassMaps, write_class_maps
from cellwise.store.run.folder import RunFolder


@pytest.fixture
def made(tmp_path):
    made = write_run(tmp_path)
    run = RunFolder(made.run)
    record = json.loads(run.record.read_text())
    record["recipe"]["steps"].append({"kind": "score", "name": "seen", "options": {}})
    run.record.write_text(json.dumps(record))
    logits = np.linspace(-8, 8, 12, dtype=np.float16).reshape(1, 1, 3, 4)
    write_class_maps(run.class_maps("seen"), ClassMaps(("inside",), ("plate_A01",), logits))
    return made


def test_a_map_is_lighter_where_the_class_is_likelier(made):
    maps = Maps(open_run(made.run))
    assert maps.offered("plate_A01") == [{"step": "seen", "classes": ["inside"]}]
    assert maps.offered("plate_A02") == []
    drawn = np.asarray(Image.open(io.BytesIO(maps.drawn("seen", "plate_A01", "inside"))))
    assert drawn.shape == (3, 4, 3)
    light = (drawn.astype(float) @ [0.2, 0.7, 0.1]).ravel()
    assert (np.diff(light) >= 0).all()
    assert light[-1] > 250 > 5 > light[0]


@pytest.mark.parametrize(
    "asked",
    [
        ("seen", "plate_A01", "Negative"),
        ("seen", "plate_B01", "inside"),
        ("../../run", "plate_A01", "inside"),
        ("other", "plate_A01", "inside"),
    ],
)
def test_a_map_that_is_not_there(made, asked):
    assert Maps(open_run(made.run)).drawn(*asked) is None


def test_torn_maps_count_as_none(made):
    path = RunFolder(made.run).class_maps("seen")
    path.write_bytes(path.read_bytes()[:60])
    maps = Maps(open_run(made.run))
    assert maps.offered("plate_A01") == []
    assert maps.drawn("seen", "plate_A01", "inside") is None
