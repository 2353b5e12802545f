"""Addresses of the map of cells."""

import numpy as np
import pytest

from cellwise.app.view.data.opened import open_run
from cellwise.app.view.data.scatter import MEASURED, UMAP
from cellwise.app.view.layouts.layouts import Layouts, State
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


def test_a_map_by_umap_is_asked_for_waited_for_and_chosen_from(client, monkeypatch):
    monkeypatch.setattr("cellwise.app.view.data.scatter.installed", lambda: True)
    name = MEASURED + UMAP
    early = client.get("/api/map/points.bin", params={"name": name})
    assert early.status_code == 422
    assert "not computed yet" in early.json()["detail"]

    def ask(self, name):
        points = np.arange(216, dtype=np.float32).reshape(108, 2)
        self._states[name] = State("done", 108, 0.0, "", points)
        return self._states[name]

    monkeypatch.setattr(Layouts, "ask", ask)
    told = client.get("/api/map/umap", params={"name": MEASURED}).json()
    assert (told["step"], told["cells"], told["name"]) == ("done", 108, name)
    content = client.get("/api/map/points.bin", params={"name": name}).content
    assert np.all(np.diff(np.frombuffer(content, "<f4").reshape(-1, 2), axis=0) > 0)
    left = "-600,-600,500,-600,500,1600,-600,1600"
    found = client.get("/api/cells", params={"within": left, "scatter": name}).json()["total"]
    assert found == 54


def test_without_the_extra_it_is_said_how_to_get_it(client, monkeypatch):
    for place in ("cellwise.app.view.data.scatter", "cellwise.app.view.routes.maps"):
        monkeypatch.setattr(f"{place}.installed", lambda: False)
    about = client.get("/api/map").json()["umap"]
    assert about["installed"] is False
    assert "pip install 'cellwise[umap]'" in about["how"]
    answer = client.get("/api/map/umap", params={"name": MEASURED})
    assert answer.status_code == 422
    assert "cellwise[umap]" in answer.json()["detail"]
