"""Sessions in a server: the token leaves the address, and changes need a page of this server."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cellwise.app.view.guard import Access, Editor, Visitor, guard
from cellwise.app.view.routes import session

TOKEN = "a-secret-for-tests"
HOME = "http://127.0.0.1"


def made(access):
    """A server with one address that is for editors."""
    app = FastAPI()
    guard(app, access)
    app.include_router(session.routes(access))
    said = []

    @app.get("/page")
    def page(asking: Visitor):
        return {"role": asking.role, "who": asking.who}

    @app.post("/api/say")
    def say(asking: Editor, words: dict[str, str]):
        said.append((asking.who, words["text"]))
        return {"said": len(said)}

    return app, said


class Client(TestClient):
    """A visitor, what they show to change something, and what was said to their server."""

    def __init__(self, app: FastAPI, said: Any) -> None:
        super().__init__(app, base_url=HOME)
        self.said, self.proof = said, {}


@pytest.fixture
def served():
    app, said = made(Access(TOKEN, edit=True))
    with Client(app, said) as client:
        yield client


@pytest.fixture
def inside(served):
    """An editor who came with the token."""
    served.get("/page", params={"token": TOKEN})
    served.proof = {"X-Cellwise-Token": served.get("/api/session").json()["csrf"]}
    return served


def test_the_token_leaves_the_address_and_the_rest_of_it_stays(served):
    question = "well=A01&text=a%26b+c&empty="
    answer = served.get(f"/page?token={TOKEN}&{question}", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/page?{question}"
    assert answer.headers["referrer-policy"] == "no-referrer"
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=lax" in kept
    assert TOKEN not in kept


def test_the_address_leads_nowhere_else(served):
    answer = served.get(f"http://127.0.0.1//evil.example/?token={TOKEN}", follow_redirects=False)
    assert answer.headers["location"] == "/evil.example/"


def test_a_second_visit_with_the_token_stays_the_same_session(inside):
    before = inside.get("/api/session").json()
    inside.get("/page", params={"token": TOKEN})
    assert inside.get("/api/session").json() == before


def test_a_forged_cookie_is_refused(served):
    served.cookies.set(Access(TOKEN).cookie, TOKEN)
    assert served.get("/page").status_code == 403
    assert served.get("/api/session").status_code == 403


def test_who_asks_for_a_change_shows_the_token_of_their_session(inside):
    answer = inside.post("/api/say", json={"text": "one"}, headers=inside.proof)
    assert answer.json() == {"said": 1}
    for headers in ({}, {"X-Cellwise-Token": ""}, {"X-Cellwise-Token": b"\xfc"}):
        refused = inside.post("/api/say", json={"text": "two"}, headers=headers)
        assert refused.status_code == 403
        assert "X-Cellwise-Token" in refused.json()["detail"]
    assert len(inside.said) == 1


def test_a_token_of_another_session_is_refused(served, inside):
    with TestClient(served.app, base_url=HOME) as other:
        other.get("/page", params={"token": TOKEN})
        assert other.post("/api/say", json={"text": "x"}, headers=inside.proof).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9", "https://127.0.0.1", ""]
)
def test_a_page_of_another_server_changes_nothing(inside, origin):
    headers = inside.proof | {"Origin": origin}
    assert inside.post("/api/say", json={"text": "x"}, headers=headers).status_code == 403
    assert not inside.said


def test_a_page_of_this_server_may(inside):
    headers = inside.proof | {"Origin": HOME}
    assert inside.post("/api/say", json={"text": "x"}, headers=headers).is_success


def test_a_viewer_is_told_who_gives_the_right():
    app, said = made(Access(TOKEN))
    with TestClient(app, base_url=HOME) as client:
        client.get("/page", params={"token": TOKEN})
        told = client.get("/api/session").json()
        assert told["role"] == "viewer"
        proof = {"X-Cellwise-Token": told["csrf"]}
        answer = client.post("/api/say", json={"text": "x"}, headers=proof)
        assert answer.status_code == 403
        assert "--edit" in answer.json()["detail"]
    assert not said


def test_a_program_sends_the_token_in_a_header(served):
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Cellwise-Name": "a%20robot"}
    assert served.get("/page", headers=headers).json() == {"role": "editor", "who": "a robot"}
    assert served.post("/api/say", json={"text": "x"}, headers=headers).is_success
    assert served.said == [("a robot", "x")]
    # No session began.
    assert served.get("/page").status_code == 403
    wrong = {"Authorization": "Bearer other"}
    assert served.post("/api/say", json={"text": "x"}, headers=wrong).status_code == 403


def test_a_name_is_given_once_and_known_to_the_next_start(inside):
    answer = inside.post("/api/session", json={"who": " Ann  Łukasz\n"}, headers=inside.proof)
    assert answer.json()["who"] == "Ann Łukasz"
    assert inside.get("/api/session").json()["who"] == "Ann Łukasz"
    inside.post("/api/say", json={"text": "x"}, headers=inside.proof)
    assert inside.said == [("Ann Łukasz", "x")]
    app, _ = made(Access("of-the-next-start"))
    with TestClient(app, base_url=HOME, cookies=inside.cookies) as later:
        later.get("/page", params={"token": "of-the-next-start"})
        assert later.get("/api/session").json()["who"] == "Ann Łukasz"


def test_a_name_of_no_letter_is_none(inside):
    assert inside.post("/api/session", json={"who": " \n"}, headers=inside.proof).status_code == 422
    assert inside.post("/api/session", json={}, headers=inside.proof).status_code == 422
    assert inside.get("/api/session").json()["who"] == ""


def test_long_bodies_and_bodies_of_unknown_length_are_refused(inside):
    endless = inside.post("/api/say", content=iter([b"{}"]), headers=inside.proof)
    assert endless.status_code == 411
    long = inside.proof | {"Content-Length": str(2**40)}
    assert inside.post("/api/say", content=b"{}", headers=long).status_code == 413
    assert not inside.said


def test_what_a_browser_is_started_with_opens_once():
    """Other users of the machine can read it in the list of processes."""
    access = Access(TOKEN)
    app, _ = made(access)
    ticket = access.ticket()
    with TestClient(app, base_url=HOME) as first, TestClient(app, base_url=HOME) as second:
        assert first.get("/page", params={"token": ticket}).is_success
        assert second.get("/page", params={"token": ticket}).status_code == 403
        assert first.get("/page").is_success
        assert second.get("/page", params={"token": TOKEN}).is_success
