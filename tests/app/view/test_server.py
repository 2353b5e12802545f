"""Who may see a run, and what they get."""

import io
import json

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.app.view.conftest import writer

from cellwise.app.view.server import _listen, make_app
from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

TOKEN = "a-secret-for-tests"
PLACES = ("/", "/cells", "/api/run", "/api/cells", "/api/cells/plate_A01/1.png", "/static/cells.js")


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_shown_without_the_token(stranger, place):
    assert stranger.get(place).status_code == 403
    assert stranger.get(place, params={"token": "a-wrong-one"}).status_code == 403
    stranger.cookies.set("cellwise_of_another_run", TOKEN)
    assert stranger.get(place).status_code == 403


def test_a_token_with_other_letters_is_refused_and_not_an_error(stranger):
    assert stranger.get("/api/run", params={"token": "ü€"}).status_code == 403


def test_the_token_in_the_address_opens_the_page_and_is_remembered(stranger):
    assert stranger.get("/api/run", params={"token": TOKEN}).status_code == 200
    assert stranger.get("/api/run").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.4:80", ""])
def test_a_name_rebound_to_this_machine_is_refused(client, host):
    assert client.get("/api/run", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123", "localhost"])
def test_this_machine_may_be_named_in_its_usual_ways(client, host):
    assert client.get("/api/run", params={"token": TOKEN}, headers={"host": host}).is_success


@pytest.mark.parametrize(
    "place",
    [
        "/static/../server.py",
        "/static/..%2Fserver.py",
        "/static/%2e%2e/%2e%2e/run.json",
        "/static//etc/passwd",
        "/api/cells/..%2F..%2Frun/1.png",
        "/api/cells/%2e%2e/1.png",
        "/run.json",
    ],
)
def test_no_other_file_can_be_reached(client, place):
    assert client.get(place).status_code == 404


def test_answers_tell_browsers_to_keep_them_here(client):
    headers = client.get("/cells").headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_a_run_without_report_says_how_to_make_it(client):
    assert "cellwise report RUN" in client.get("/").text


def test_the_report_is_served_as_it_lies_there(client, shown_run):
    report = shown_run.html(sites=1, gallery=1)
    try:
        assert client.get("/").text == report
    finally:
        (shown_run.run / "report.html").unlink()


def test_the_run_tells_what_its_filters_offer(client):
    facts = client.get("/api/run").json()
    assert facts["classes"] == ["inside", "Negative"]
    assert facts["wells"][:2] == ["A01", "A02"]
    assert facts["cells"] == 108
    assert facts["calibration"] == "weak"


def test_cells_come_in_pages_of_a_hundred_and_none_twice(client):
    pages = [client.get("/api/cells", params={"page": page}).json() for page in (1, 2)]
    assert [len(page["cells"]) for page in pages] == [100, 8]
    ids = {(cell["site"], cell["cell"]) for page in pages for cell in page["cells"]}
    assert len(ids) == 108 == pages[0]["total"]


def test_a_page_beyond_the_last_is_the_last(client):
    answer = client.get("/api/cells", params={"page": 99}).json()
    assert (answer["page"], answer["pages"]) == (2, 2)


def test_filters_agree_with_the_table(client, shown_run):
    table = pl.read_parquet(shown_run.run / "predictions.parquet")
    asked = {"class": "inside", "well": "B03", "low": 0.2, "high": 0.6}
    answer = client.get("/api/cells", params=asked).json()
    chance = pl.col("Prob_inside")
    expected = table.filter(pl.col("Metadata_Well") == "B03", chance >= 0.2, chance <= 0.6)
    assert answer["total"] == expected.height > 0
    assert {cell["well"] for cell in answer["cells"]} == {"B03"}


def test_cells_stand_in_the_order_asked_for(client):
    down = client.get("/api/cells", params={"class": "inside"}).json()["cells"]
    up = client.get("/api/cells", params={"class": "inside", "order": "up"}).json()["cells"]
    chances = [cell["probability"] for cell in down]
    assert chances == sorted(chances, reverse=True)
    assert up[0]["probability"] == min(cell["probability"] for cell in up)


def test_one_cell_can_be_asked_for(client):
    answer = client.get("/api/cells", params={"site": "plate_A04", "cell": 3}).json()
    assert [(cell["site"], cell["cell"]) for cell in answer["cells"]] == [("plate_A04", 3)]


def test_assigned_and_unsure_cells_can_be_asked_for(client, shown_run):
    table = pl.read_parquet(shown_run.run / "predictions.parquet")
    given = table.filter(pl.col("Labels").list.contains("inside")).height
    counts = [
        client.get("/api/cells", params={"class": "inside", "assigned": word}).json()["total"]
        for word in ("yes", "no")
    ]
    assert counts == [given, table.height - given]
    unsure = client.get("/api/cells", params={"unsure": 0.5}).json()
    assert unsure["total"] == table.filter(pl.col("Uncertainty") >= 0.5).height


@pytest.mark.parametrize("asked", [{"low": "much"}, {"high": 7}, {"page": 0}, {"sort": "price"}])
def test_a_filter_without_meaning_is_refused(client, asked):
    assert client.get("/api/cells", params=asked).status_code == 422


def test_an_unknown_class_is_not_found(client):
    assert client.get("/api/cells", params={"class": "<script>"}).status_code == 404


def test_each_cell_has_its_image(client):
    answer = client.get("/api/cells/plate_A01/1.png")
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert (image.size, image.mode) == ((48, 48), "RGB")


def image(client, place):
    return np.asarray(Image.open(io.BytesIO(client.get(f"/api/cells/{place}").content)))


def test_only_the_channels_asked_for_are_drawn(client):
    nucleus, protein = (image(client, f"plate_A01/1.png?channels={n}") for n in (0, 1))
    assert nucleus[..., 2].sum() > 3 * nucleus[..., 0].sum()
    assert protein[..., 1].sum() > 3 * protein[..., 0].sum()
    both = image(client, "plate_A01/1.png?channels=0,1")
    assert (both == image(client, "plate_A01/1.png")).all()
    assert not image(client, "plate_A01/1.png?channels=").any()


@pytest.mark.parametrize("channels", ["2", "0,1,2,3,4", "x", "-1", "0;1", "9" * 30])
def test_channels_that_are_not_there_are_refused(client, channels):
    answer = client.get("/api/cells/plate_A01/1.png", params={"channels": channels})
    assert answer.status_code == 422


def test_the_run_tells_name_role_and_colour_of_its_channels(client):
    dna, gfp = client.get("/api/run").json()["channels"]
    assert (dna["name"], dna["role"], dna["colour"]) == ("dna", "nucleus", "blue")
    assert (gfp["name"], gfp["role"], gfp["colour"]) == ("gfp", "protein", "green")
    assert dna["shown"]
    assert dna["code"] != gfp["code"]


def test_the_outline_of_a_cell_lies_where_its_mask_ends(client, shown_run):
    table = pl.read_parquet(shown_run.run / "cells.parquet")
    cell = table.filter(pl.col("site_id") == "plate_A02", pl.col("cell_id") == 5).to_dicts()[0]
    drawn = client.get("/api/cells/plate_A02/5/outline.png")
    lines = np.asarray(Image.open(io.BytesIO(drawn.content)).convert("RGBA"))
    white = np.argwhere((lines[..., 0] == 255) & (lines[..., 3] == 255))
    scale = 1.1 * max(cell["y1"] - cell["y0"], cell["x1"] - cell["x0"]) / len(lines)
    found = (white.max(axis=0) - white.min(axis=0) + 1) * scale
    # The line lies on both sides of the border.
    expected = np.array([cell["y1"] - cell["y0"], cell["x1"] - cell["x0"]])
    assert np.abs(found - expected).max() < 3 * scale + 0.5
    assert not lines[len(lines) // 2, len(lines) // 2, 3]


def test_a_cell_without_a_mask_has_no_outline(client):
    assert client.get("/api/cells/nowhere/1/outline.png").status_code == 404


def test_cells_have_a_scale_bar_where_the_pixel_size_is_known(client, tmp_path):
    assert client.get("/api/cells").json()["cells"][0]["bar"] is None
    made = writer().write_run(tmp_path)
    sites = RunFolder(made.run).sites
    write_table(sites, SITES, read_table(sites, SITES).with_columns(pixel_size=pl.lit(0.5)))
    with TestClient(make_app(made.run, TOKEN), base_url="http://127.0.0.1") as visitor:
        answer = visitor.get("/api/cells", params={"token": TOKEN}).json()
        assert visitor.get("/api/run").json()["sized"] == 12
    assert {cell["bar"]["words"] for cell in answer["cells"]} == {"5 µm"}
    assert all(0.12 <= cell["bar"]["share"] <= 0.32 for cell in answer["cells"])


@pytest.mark.parametrize("place", ["plate_A01/999", "nowhere/1", "plate_A01/one"])
def test_a_cell_that_is_not_there_has_no_image(client, place):
    assert client.get(f"/api/cells/{place}.png").status_code in (404, 422)


def test_an_unfinished_run_is_refused_with_advice(tmp_path):
    with pytest.raises(PreflightError, match="Finish the run first"):
        make_app(tmp_path, TOKEN)


def test_a_port_in_use_is_named():
    first = _listen(0)
    first.listen()
    port = first.getsockname()[1]
    try:
        with pytest.raises(PreflightError, match=str(port)):
            _listen(port)
    finally:
        first.close()


def test_only_the_loopback_address_is_listened_on():
    listener = _listen(0)
    assert listener.getsockname()[0] == "127.0.0.1"
    listener.close()


def test_a_run_without_classes_can_be_looked_at(plain_client):
    answer = plain_client.get("/api/cells").json()
    assert answer["total"] == 108
    assert answer["cells"][0]["probability"] is None
    assert plain_client.get("/api/run").json()["calibration"] is None


def test_a_run_of_whole_fields_shows_its_report_and_no_cells(tmp_path):
    run = RunFolder(tmp_path)
    run.report.write_text("<!DOCTYPE html><p>wells")
    kinds = [{"kind": "read"}, {"kind": "train"}, {"kind": "assign"}, {"kind": "report"}]
    run.record.write_text(json.dumps({"recipe": {"steps": kinds}}))
    with TestClient(make_app(tmp_path, TOKEN), base_url="http://127.0.0.1") as visitor:
        assert "wells" in visitor.get("/", params={"token": TOKEN}).text
        assert visitor.get("/cells").status_code == 404
    # A run that is to find cells is not finished yet.
    run.record.write_text(json.dumps({"recipe": {"steps": [{"kind": "cells"}, *kinds]}}))
    with pytest.raises(PreflightError, match="Finish the run first"):
        make_app(tmp_path, TOKEN)
