"""Addresses of fields: lists, plates, tiles, outlines."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.app.view.conftest import TOKEN, write_run

from cellwise.app.view.server import make_app


def test_fields_are_listed_in_parts(client):
    found = client.get("/api/fields", params={"start": 10}).json()
    assert found["total"] == 12
    assert [field["site"] for field in found["fields"]] == ["plate_B05", "plate_B06"]
    assert found["fields"][0]["labels"] == ["inside"]
    assert found["fields"][0]["cells"] == 9


def test_a_plate_has_its_wells(client):
    found = client.get("/api/plates", params={"class": "Negative"}).json()
    assert found["class"] == "Negative"
    assert found["plates"][0]["wells"][0]["place"] == [0, 0]
    assert client.get("/api/plates", params={"class": "none such"}).status_code == 422


def test_a_field_says_what_it_is(client):
    field = client.get("/api/fields/plate_A02").json()
    assert field["frame"] == [160, 160]
    assert (field["previous"], field["next"]) == ("plate_A01", "plate_A03")
    assert len(field["cell"]) == len(field["x"]) == len(field["best"]) == 9
    assert field["maps"] == []
    values = client.get("/api/fields/plate_A02/probabilities", params={"class": "Negative"}).json()
    listed = client.get("/api/cells", params={"site": "plate_A02", "class": "Negative"}).json()
    assert sorted(values["values"]) == sorted(cell["probability"] for cell in listed["cells"])


def test_the_image_of_a_field_comes_in_tiles(client):
    about = client.get("/api/fields/plate_A02/image").json()
    assert (about["levels"], about["source"], about["trouble"]) == ([[160, 160]], "image", "")
    assert len(about["bounds"]) == 2
    tile = client.get("/api/fields/plate_A02/tiles/0/0/0.jpg", params={"channels": "1:0:0.9"})
    image = np.asarray(Image.open(io.BytesIO(tile.content)), float)
    assert image.shape == (160, 160, 3)
    assert image[..., 1].sum() > 3 * image[..., 0].sum()
    small = client.get("/api/fields/plate_A02/small.jpg")
    assert Image.open(io.BytesIO(small.content)).size == (160, 160)
    own = client.get("/api/fields/plate_A02/contrast").json()["bounds"]
    assert all(dark < bright for dark, bright in own)


def test_outlines_of_a_field_stand_for_its_cells(client):
    content = client.get("/api/fields/plate_A02/outlines.bin").content
    count = int(np.frombuffer(content[:4], "<u4")[0])
    owners = np.frombuffer(content[4 : 4 + 8 * count], "<u4").reshape(-1, 2)[:, 0]
    assert owners.tolist() == list(range(9))


@pytest.mark.parametrize(
    "place",
    [
        "nowhere",
        "..%2F..%2Frun.json",
        "%2e%2e",
        "nowhere/image",
        "nowhere/contrast",
        "nowhere/small.jpg",
        "nowhere/outlines.bin",
        "nowhere/tiles/0/0/0.jpg",
        "plate_A02/tiles/0/7/0.jpg",
        "plate_A02/tiles/-1/0/0.jpg",
        "plate_A02/tiles/9/0/0.jpg",
        "plate_A02/map.png?step=..%2Frun&class=inside",
    ],
)
def test_what_is_not_there(client, place):
    assert client.get(f"/api/fields/{place}").status_code == 404


def test_channels_that_are_not_there_are_refused(client):
    for place in ("tiles/0/0/0.jpg", "small.jpg", "image"):
        answer = client.get(f"/api/fields/plate_A01/{place}", params={"channels": "7"})
        assert answer.status_code == 422


def test_images_that_are_gone_are_said_to_be_gone(tmp_path):
    made = write_run(tmp_path)
    (made.images / "A02_dna.png").unlink()
    with TestClient(make_app(made.run, TOKEN), base_url="http://127.0.0.1") as client:
        client.get("/cells", params={"token": TOKEN})
        about = client.get("/api/fields/plate_A02/image").json()
        assert about["source"] == "crops"
        assert "A02_dna.png" in about["trouble"]
        tile = client.get("/api/fields/plate_A02/tiles/0/0/0.jpg")
        assert np.asarray(Image.open(io.BytesIO(tile.content))).max() > 60
