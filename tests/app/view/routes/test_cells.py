"""Addresses of cells: lists, sheets, outlines, cards, tables."""

import csv
import io
import json

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.app.view.conftest import TOKEN, write_run

from cellwise.app.view.server import make_app
from cellwise.domain.tables import PREDICTIONS, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table


def visitor(made):
    client = TestClient(make_app(made.run, TOKEN), base_url="http://127.0.0.1")
    client.get("/cells", params={"token": TOKEN})
    return client


def test_the_run_tells_what_its_filters_offer(client):
    facts = client.get("/api/run").json()
    assert facts["classes"] == ["inside", "Negative"]
    assert facts["wells"][:2] == ["A01", "A02"]
    assert (facts["cells"], facts["sites"], facts["sized"]) == (108, 12, 0)
    assert facts["calibration"] == "weak"
    assert facts["flags"] == ["no_nucleus"]
    assert "Cells_Intensity_Mean_gfp" in facts["sorts"]
    assert not {"cell_id", "row", "y0", "Prob_inside"} & set(facts["sorts"])
    plain = [name.lower() for name in facts["sorts"]]
    assert len(set(plain)) == len(plain)
    dna, gfp = facts["channels"]
    assert (dna["name"], dna["role"], dna["colour"]) == ("dna", "nucleus", "blue")
    assert dna["code"] != gfp["code"]


def test_any_part_of_the_order_can_be_had(client):
    whole = client.get("/api/cells", params={"count": 200}).json()
    assert whole["total"] == len(whole["cells"]) == 108
    part = client.get("/api/cells", params={"start": 100, "count": 50}).json()
    assert part["cells"] == whole["cells"][100:]
    assert client.get("/api/cells", params={"start": 999}).json()["cells"] == []


def test_filters_agree_with_the_table(client, shown_run):
    table = pl.read_parquet(shown_run.run / "predictions.parquet")
    asked = {"class": "inside", "well": "B03", "low": 0.2, "high": 0.6}
    answer = client.get("/api/cells", params=asked).json()
    chance = pl.col("Prob_inside")
    expected = table.filter(pl.col("Metadata_Well") == "B03", chance >= 0.2, chance <= 0.6)
    assert answer["total"] == expected.height > 0
    assert {cell["well"] for cell in answer["cells"]} == {"B03"}
    chances = [cell["probability"] for cell in answer["cells"]]
    assert chances == sorted(chances, reverse=True)


@pytest.mark.parametrize(
    "asked",
    [
        {"low": 2},
        {"count": 0},
        {"count": 100_000},
        {"start": -1},
        {"order": "sideways"},
        {"assigned": "maybe"},
        {"cell": "five"},
        {"sort": "shard"},
        {"class": "<script>"},
        {"within": "0,0,1,1"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_words(client, asked):
    answer = client.get("/api/cells", params=asked)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_sheet_is_one_image_of_the_cells_in_order(client):
    answer = client.get("/api/cells/sheet.jpg", params={"count": 20, "size": 48})
    assert answer.headers["content-type"] == "image/jpeg"
    sheet = Image.open(io.BytesIO(answer.content))
    assert sheet.size == (16 * 48, 2 * 48)
    single = client.get("/api/cells", params={"start": 19, "count": 1}).json()["cells"][0]
    place = f"/api/cells/{single['site']}/{single['cell']}/image.jpg"
    alone = Image.open(io.BytesIO(client.get(place, params={"size": 48}).content))
    part = np.asarray(sheet, float)[48:96, 3 * 48 : 4 * 48]
    assert np.abs(part - np.asarray(alone, float)).mean() < 12


def test_a_sheet_of_no_cells_is_nothing(client):
    answer = client.get("/api/cells/sheet.jpg", params={"unsure": 1, "low": 1})
    assert (answer.status_code, answer.content) == (204, b"")


def test_only_the_channels_asked_for_are_drawn(client):
    def sums(channels):
        asked = {"count": 16, "channels": channels}
        content = client.get("/api/cells/sheet.jpg", params=asked).content
        return np.asarray(Image.open(io.BytesIO(content)), float).sum((0, 1))

    assert sums("0")[2] > 3 * sums("0")[0]
    assert sums("1")[1] > 3 * sums("1")[0]
    assert sums("1:0:1:ff0000")[0] > 3 * sums("1:0:1:ff0000")[1]
    assert not sums("none").any()


@pytest.mark.parametrize("channels", ["2", "0,1,2,3,4", "x", "-1", "0;1", "9" * 30, "0:1", "0:a:b"])
def test_channels_that_are_not_there_are_refused(client, channels):
    for place in ("sheet.jpg", "plate_A01/1/image.jpg"):
        answer = client.get(f"/api/cells/{place}", params={"channels": channels})
        assert answer.status_code == 422


def test_outlines_come_for_the_cells_in_order(client, shown_run):
    content = client.get("/api/cells/outlines.bin", params={"count": 9, "well": "A02"}).content
    count = int(np.frombuffer(content[:4], "<u4")[0])
    owners = np.frombuffer(content[4 : 4 + 8 * count], "<u4").reshape(-1, 2)[:, 0]
    assert owners.tolist() == list(range(9))


def test_the_card_of_a_cell_says_all(client, shown_run):
    table = pl.read_parquet(shown_run.run / "cells.parquet")
    cell = table.filter(pl.col("site_id") == "plate_A02", pl.col("cell_id") == 5).to_dicts()[0]
    card = client.get("/api/cells/plate_A02/5").json()
    assert (card["well"], card["area"], card["flags"]) == ("A02", cell["area"], ["no_nucleus"])
    points = np.array(card["outline"][0])
    assert points[:, 0].min() == cell["x0"]
    assert points[:, 1].max() == cell["y1"] - 1
    assert [name for name, _ in card["probabilities"]] != []
    assert card["bar"] is None


def test_cells_have_a_scale_bar_where_the_pixel_size_is_known(tmp_path):
    made = write_run(tmp_path)
    sites = RunFolder(made.run).sites
    write_table(sites, SITES, read_table(sites, SITES).with_columns(pixel_size=pl.lit(0.5)))
    with visitor(made) as client:
        card = client.get("/api/cells/plate_A02/5").json()
        assert client.get("/api/run").json()["sized"] == 12
    assert card["bar"]["words"] == "5 µm"
    assert card["bar"]["share"] == pytest.approx(5 / (0.5 * card["window"][2]), rel=1e-3)


@pytest.mark.parametrize("place", ["plate_A01/999", "nowhere/1", "plate_A01/one", "..%2Frun/1"])
def test_a_cell_that_is_not_there(client, place):
    for ending in ("", "/image.jpg"):
        assert client.get(f"/api/cells/{place}{ending}").status_code in (404, 422)


def test_rows_between_two_places_and_the_place_of_a_row(client):
    asked = {"well": "B03"}
    rows = client.get("/api/cells/rows", params={**asked, "start": 2, "stop": 6}).json()["rows"]
    assert len(rows) == 4
    found = client.get("/api/cells/where", params={**asked, "row": rows[1]}).json()
    assert found["place"] == 3
    assert client.get("/api/cells/where", params={**asked, "row": 0}).json()["place"] is None


def test_chosen_cells_can_be_kept_as_a_table(client, shown_run):
    answer = client.get("/api/cells.csv", params={"chosen": "9-11", "sort": "site"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["site_id"], row["cell_id"]) for row in rows] == [
        ("plate_A02", "1"), ("plate_A02", "2"), ("plate_A02", "3"),
    ]  # fmt: skip
    table = pl.read_parquet(shown_run.run / "predictions.parquet")
    expected = table.filter(pl.col("site_id") == "plate_A02")["Prob_inside"][:3]
    found = [float(row["Prob_inside"]) for row in rows]
    assert found == pytest.approx(expected.to_list(), abs=1e-5)


def test_rows_of_an_older_state_are_refused(client):
    stamp = client.get("/api/run").json()["stamp"]
    for place in ("/api/cells", "/api/cells/sheet.jpg", "/api/cells/outlines.bin"):
        assert client.get(place, params={"stamp": stamp}).status_code == 200
        assert client.get(place, params={"stamp": "0" * 12}).status_code == 409


def test_a_run_without_classes_can_be_looked_at(plain_client):
    answer = plain_client.get("/api/cells").json()
    assert answer["total"] == 108
    assert answer["cells"][0]["probability"] is None
    facts = plain_client.get("/api/run").json()
    assert (facts["calibration"], facts["labelled"], facts["coloured"]) == (None, False, [])


def test_a_thousand_classes_fit(tmp_path):
    made = write_run(tmp_path)
    run = RunFolder(made.run)
    names = [f"siRNA {n}" for n in range(1108)]
    table = read_table(run.predictions, PREDICTIONS)
    rng = np.random.default_rng(0)
    top = [[names[code] for code in rng.permutation(1108)[:10]] for _ in range(table.height)]
    probs = -np.sort(-rng.random((table.height, 10)), 1)
    wide = table.drop("Prob_inside", "Prob_Negative").with_columns(
        pl.Series("top_classes", top, pl.List(pl.String)),
        pl.Series("top_probs", probs.tolist(), pl.List(pl.Float32)),
    )
    write_table(run.predictions, PREDICTIONS, wide)
    with visitor(made) as client:
        facts = client.get("/api/run").json()
        assert len(facts["coloured"]) == 12 < len(facts["classes"])
        name = top[40][3]
        found = client.get("/api/cells", params={"class": name, "low": 0.001}).json()
        assert found["total"] == sum(name in row for row in top)
        card = client.get("/api/cells/plate_A01/1").json()
    assert [name for name, _ in card["probabilities"]] == top[0]


def test_classes_whose_probabilities_people_checked_are_named(own_run):
    path = own_run / "decisions" / "decide.json"
    told = {
        "inside": {"calibration": "audited", "judged": 200, "seen": 40},
        "Negative": {"calibration": "weak", "judged": 200, "seen": 3, "why": "too few"},
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | {"audit": {"classes": told}}))
    record = json.loads((own_run / "run.json").read_text())
    steps = [{"kind": "decide", "name": "decide", "options": {"audited": "temperature"}}]
    record["recipe"] = {"name": "x", "steps": steps}
    (own_run / "run.json").write_text(json.dumps(record))
    client = TestClient(make_app(own_run, TOKEN), base_url="http://127.0.0.1")
    client.get("/cells", params={"token": TOKEN})
    facts = client.get("/api/run").json()
    assert (facts["calibration"], facts["audited"]) == ("weak", ["inside"])
    learn = client.get("/api/learn").json()
    assert learn["audits"] is True
    assert "decide.annotations=" in learn["command"]
