"""Addresses of the desk: editors alone change anything, and what is wrong is said."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.app.view.conftest import TOKEN

from cellwise.app.view.guard import Access
from cellwise.app.view.server import make_app

PROGRAM = {"Authorization": f"Bearer {TOKEN}", "X-Cellwise-Name": "ann"}


@pytest.fixture
def run(own_run):
    return own_run


@pytest.fixture
def visitor(run):
    app = make_app(run, Access(TOKEN, edit=True))
    with TestClient(app, base_url="http://127.0.0.1", headers=PROGRAM) as found:
        yield found


def body(visitor, **more):
    given = {"id": "0" * 16, "rows": [3], "said": {"inside": "no"}, **more}
    return {"cells": visitor.get("/api/desk").json()["cells"], **given}


def test_a_verdict_is_saved_seen_by_all_and_taken_back(visitor):
    answer = visitor.post("/api/desk/save", json=body(visitor))
    assert answer.json()["rows"] == [3]
    seen = visitor.get("/api/desk/said", params={"class": "inside"}).json()
    assert seen["mine"] == [[3, "no"]]
    other = {"X-Cellwise-Name": "bob"}
    seen = visitor.get("/api/desk/said", params={"class": "inside"}, headers=other).json()
    assert (seen["mine"], seen["others"]) == ([], [[3, "no", "ann"]])
    listed = visitor.get("/api/cells", params={"verdict": "no"}).json()
    assert [cell["row"] for cell in listed["cells"]] == [3]
    assert "ann" in visitor.get("/api/desk/verdicts.csv").text
    assert visitor.get("/api/desk/backup.parquet").content[:4] == b"PAR1"
    undone = visitor.post("/api/desk/undo", json={"id": "1" * 16, "save": "0" * 16})
    assert undone.status_code == 200
    assert visitor.get("/api/desk/said", params={"class": "inside"}).json()["mine"] == []


def test_whole_cells_are_judged_by_what_is_left(visitor):
    visitor.post("/api/desk/save", json=body(visitor, said={"inside": "yes"}))
    rest = body(visitor, id="1" * 16, rest=True)
    del rest["said"]
    assert visitor.post("/api/desk/save", json=rest).status_code == 200
    whole = visitor.get("/api/desk/said", params={"whole": "yes"}).json()
    assert whole["mine"] == [[3, 2, ["inside"]]]
    cell = visitor.get("/api/desk/cell", params={"row": 3}).json()["said"]
    assert [(one["class"], one["verdict"]) for one in cell] == [
        ("Negative", "no"),
        ("inside", "yes"),
    ]


def test_who_only_looks_changes_nothing(run):
    with TestClient(make_app(run, TOKEN), base_url="http://127.0.0.1", headers=PROGRAM) as looking:
        assert looking.get("/api/desk").status_code == 200
        for place, sent in {
            "save": body(looking),
            "undo": {"id": "0" * 16, "save": "1" * 16},
            "bring": {"title": "a.csv", "content": ""},
            "draw": {"count": 20},
        }.items():
            refused = looking.post(f"/api/desk/{place}", json=sent)
            assert refused.status_code == 403, place
    assert not (run / "annotations").exists()


def test_a_page_of_others_and_a_forged_token_change_nothing(run):
    app = make_app(run, Access(TOKEN, edit=True))
    with TestClient(app, base_url="http://127.0.0.1") as visitor:
        visitor.get("/cells", params={"token": TOKEN})
        csrf = visitor.get("/api/session").json()["csrf"]
        sent = body(visitor)
        for headers in (
            {},
            {"X-Cellwise-Token": "forged", "Origin": "http://127.0.0.1"},
            {"X-Cellwise-Token": csrf, "Origin": "https://evil.example"},
        ):
            assert visitor.post("/api/desk/save", json=sent, headers=headers).status_code == 403
        # Without a name nobody would know whose verdict it is.
        honest = {"X-Cellwise-Token": csrf, "Origin": "http://127.0.0.1"}
        nameless = visitor.post("/api/desk/save", json=sent, headers=honest)
        assert "Give your name first" in nameless.json()["detail"]
    assert not (run / "annotations").exists()


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"said": {"<script>": "yes"}}, 422, "no class '<script>'"),
    ({"said": {"inside": "perhaps"}}, 422, "not 'perhaps'"),
    ({"said": {}}, 422, "No verdict was given"),
    ({"said": None}, 422, "No verdict was given"),
    ({"said": None, "shows": ["x" * 300]}, 422, "no class"),
    ({"rows": [5000]}, 422, "no such cell"),
    ({"rows": []}, 422, ""),
    ({"cells": "another"}, 409, "found again"),
    ({"queue": "best"}, 422, "no queue 'best'"),
    ({"id": "../../run"}, 422, "hexadecimal"),
    ({"path": "/etc/passwd"}, 422, ""),
    ({"rows": [10**30]}, 422, "less than"),
    ({"rows": [-1]}, 422, "greater than"),
    ({"rows": [True]}, 422, "valid integer"),
    ({"rows": ["1"]}, 422, "valid integer"),
    ({"unsure": True}, 422, "in one way"),
    ({"shows": [], "rest": True, "said": None}, 422, "in one way"),
]


def test_what_cannot_be_saved_is_said(visitor, run):
    for more, status, words in WRONG:
        answer = visitor.post("/api/desk/save", json=body(visitor, **more))
        assert answer.status_code == status, more
        assert words in str(answer.json()["detail"]), more
    assert not (run / "annotations").exists()


@pytest.mark.parametrize(
    "text", ['{"rows": [NaN]}', '{"id": "\\ud800"}', '{"\\ud800": 1e999}', "{", "rows=1"]
)
def test_what_cannot_be_sent_back_is_a_refusal_all_the_same(visitor, text):
    answer = visitor.post(
        "/api/desk/save", content=text, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"]


def test_a_torn_table_is_named_without_the_place_it_was_read_in(visitor):
    sent = {"title": "a.parquet", "content": "UEFSMQ==", "coded": True}
    answer = visitor.post("/api/desk/bring", json=sent)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("a.parquet cannot be read")


def test_a_disk_that_is_full_is_an_answer_of_its_own(visitor, monkeypatch):
    from cellwise.errors import StorageError
    from cellwise.store.annotations import saves

    def full(path, *rest, **more):
        raise StorageError(28, f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(saves, "write_table", full)
    answer = visitor.post("/api/desk/save", json=body(visitor))
    assert answer.status_code == 507
    assert "No space left" in answer.json()["detail"]


def test_tables_come_in_and_cells_are_drawn(visitor):
    sent = {"title": "v.csv", "content": "site_id,cell_id,class,verdict\nplate_A01,2,inside,yes\n"}
    assert visitor.post("/api/desk/bring", json=sent).json()["verdicts"] == 1
    wrong = visitor.post("/api/desk/bring", json={**sent, "content": "a,b\n1,2\n"})
    assert wrong.status_code == 409
    assert wrong.json()["detail"].startswith("v.csv has the columns a, b")
    assert visitor.post("/api/desk/draw", json={"count": 20}).json()["drawn"] == 20
    again = visitor.post("/api/desk/draw", json={"count": 20})
    assert "holds a draw already" in again.json()["detail"]
