"""Exports by a button: the same files as the command's, for editors alone."""

import io
import time
import zipfile

import pytest
from fastapi.testclient import TestClient
from tests.app.view.conftest import TOKEN, write_run

import cellwise
from cellwise.app.view.exports.forms import BY_NAME, FORMS
from cellwise.app.view.guard import Access
from cellwise.app.view.server import make_app
from cellwise.stages.export import exporters

PROGRAM = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def editor(made):
    app = make_app(made.run, Access(TOKEN, edit=True))
    with TestClient(app, base_url="http://127.0.0.1", headers=PROGRAM) as client:
        yield client


def rows(client):
    return {row["name"]: row for row in client.get("/api/exports").json()["exports"]}


def finished(client, name):
    end = time.monotonic() + 60
    while True:
        row = rows(client)[name]
        if row["state"]["step"] not in ("waiting", "working"):
            return row
        assert time.monotonic() < end
        time.sleep(0.05)


def test_every_export_of_the_command_is_offered():
    assert {form.name.replace("-", "_") for form in FORMS} == set(exporters.part_names())
    assert len({form.place for form in FORMS}) == len(FORMS)
    for form in FORMS:
        assert form.is_folder == (form.name in {
            "geojson", "label-tiff", "ome-zarr", "spatialdata", "fiftyone", "cellprofiler-csv",
        })  # fmt: skip


def test_the_list_says_how_many_cells_people_judged(editor):
    assert editor.get("/api/exports").json()["judged"] == 0


def test_what_a_run_has_nothing_for_is_said(editor):
    found = rows(editor)
    fits = {name for name, row in found.items() if not row["missing"]}
    assert fits == set(BY_NAME) - {"hpa-csv", "rxrx1-csv", "profiles"}
    assert "challenge" in found["hpa-csv"]["missing"]
    answer = editor.post("/api/exports", json={"name": "profiles"})
    assert answer.status_code == 409
    assert "no profiles" in answer.json()["detail"]


@pytest.mark.slow
def test_a_folder_is_that_of_the_command_and_comes_as_a_zip(editor, made, tmp_path):
    assert editor.get("/api/exports/geojson/file").status_code == 404
    assert editor.post("/api/exports", json={"name": "geojson"}).is_success
    row = finished(editor, "geojson")
    assert (row["state"]["step"], row["state"]["done"], row["state"]["total"]) == ("done", 12, 12)
    cellwise.open_run(made.run).export("geojson", tmp_path / "geojson")
    want = {p.name: p.read_bytes() for p in (tmp_path / "geojson").iterdir()}
    answer = editor.get("/api/exports/geojson/file")
    assert answer.headers["content-type"] == "application/zip"
    assert "plate-geojson.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name.split("/")[1]: archive.read(name) for name in archive.namelist()} == want
    assert row["kept"]["size"] == sum(map(len, want.values()))


@pytest.mark.slow
def test_a_file_is_that_of_the_command(editor, made, tmp_path):
    assert editor.post("/api/exports", json={"name": "cells-csv"}).is_success
    assert finished(editor, "cells-csv")["state"]["step"] == "done"
    cellwise.open_run(made.run).export("cells-csv", tmp_path / "cells.csv")
    answer = editor.get("/api/exports/cells-csv/file")
    assert answer.content == (tmp_path / "cells.csv").read_bytes()
    assert "plate-cells.csv" in answer.headers["content-disposition"]


def test_why_one_could_not_be_made_is_said_in_the_words_of_the_command(editor, made):
    away = made.images.rename(made.images.with_name("away"))
    try:
        assert editor.post("/api/exports", json={"name": "fiftyone"}).is_success
        row = finished(editor, "fiftyone")
    finally:
        away.rename(made.images)
    assert row["state"]["step"] == "failed"
    assert "Put the image folder back" in row["state"]["words"]
    assert row["kept"] is None
    assert list(made.run.glob("exports/.*")) == []


@pytest.mark.parametrize(
    "place", ["..%2F..%2Frun.json", "%2e%2e", "geojson%2F..", "cells.csv", "/etc/passwd"]
)
def test_no_other_file_can_be_reached(editor, place):
    assert editor.get(f"/api/exports/{place}/file").status_code == 404
    assert editor.post("/api/exports", json={"name": place}).status_code == 422
    assert editor.post("/api/exports/stop", json={"name": place}).status_code == 404


def test_viewers_make_none_and_fetch_what_is_there(made):
    place = made.run / "exports" / "variability.csv"
    place.parent.mkdir(exist_ok=True)
    place.write_text("made before\n")
    with TestClient(make_app(made.run, TOKEN), base_url="http://127.0.0.1") as client:
        refused = client.post("/api/exports", json={"name": "geojson"}, headers=PROGRAM)
        assert refused.status_code == 403
        assert "--edit" in refused.json()["detail"]
        assert client.post("/api/exports/stop", json={"name": "x"}, headers=PROGRAM).is_error
        fetched = client.get("/api/exports/variability-csv/file", headers=PROGRAM)
        assert fetched.text == "made before\n"
    place.unlink()
