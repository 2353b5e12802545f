"""Addresses of the map of cells."""

import numpy as np
import pytest

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.data.scatter import MEASURED
from cellwise.app.view.routes.maps import UNKNOWN, values_of


def test_points_and_values_come_for_each_cell(client):
    assert client.get("/api/map").json()["names"] == [MEASURED]
    content = client.get("/api/map/points.bin", params={"name": MEASURED}).content
    points = np.frombuffer(content, "<f4").reshape(-1, 2)
    assert points.shape == (108, 2)
    for by in ("class", "probability", "uncertainty", "plate", "label"):
        assert len(client.get("/api/map/values.bin", params={"by": by}).content) == 108
    box = "-600,-600,1600,-600,1600,1600,-600,1600"
    assert client.get("/api/cells", params={"within": box}).json()["total"] == 108
    left = ",".join(f"{x},{y}" for x, y in ((-600, -600), (500, -600), (500, 1600), (-600, 1600)))
    found = client.get("/api/cells", params={"within": left, "count": 200}).json()
    expected = np.flatnonzero(points[:, 0] < 500)
    assert sorted(cell["row"] for cell in found["cells"]) == expected.tolist()


@pytest.mark.parametrize(
    "place",
    [
        "points.bin?name=../../run",
        "points.bin",
        "values.bin?by=who",
        "values.bin?by=probability&class=x",
    ],
)
def test_what_is_not_there_is_refused(client, place):
    assert client.get(f"/api/map/{place}").status_code == 422


def test_values_say_what_the_tables_say(shown_run):
    opened = open_run(shown_run.run)
    cells = opened.cells
    assert (values_of(opened, "class", 0) == cells.chances.best).all()
    chance = values_of(opened, "probability", 1) / 254
    assert np.abs(chance - cells.chances.of_class(1)).max() <= 0.5 / 254 + 1e-6
    assert set(values_of(opened, "plate", 0)) == {0}
    label = values_of(opened, "label", 0)
    assert (label[cells.disagrees] == 1).all()
    unlabelled = ~cells.field_labels.filled[cells.site]
    assert (label[unlabelled] == UNKNOWN).all()
