"""Coming in by password: from the form to the session, and how wrong ones end."""

import html
import re

import argon2
import pytest
from fastapi.testclient import TestClient

from cellwise.app.view.access.attempts import OF_ONE
from cellwise.app.view.access.passwords import Passwords
from cellwise.app.view.access.sessions import Role
from cellwise.app.view.guard import Access
from cellwise.app.view.routes.login import next_place
from cellwise.app.view.server import make_app

HOME = "https://cells.lab.example"
WORDS = {Role.VIEWER: "to look at it", Role.EDITOR: "to judge cells"}
# Weak on purpose: what is tested is not how slow it is.
_QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
KNOWN = Passwords({role: _QUICK.hash(text) for role, text in WORDS.items()})


def access(**options):
    return Access(
        passwords=KNOWN, https=True, proxied=True, hosts=("cells.lab.example",),
        **{"edit": True, **options},
    )  # fmt: skip


@pytest.fixture
def come(shown_run):
    """Visitors of one server, each with cookies of their own."""
    made = []

    usual = make_app(shown_run.run, access())

    def visitor(app=None, **headers):
        client = TestClient(app or usual, base_url=HOME, headers=headers)
        made.append(client)
        return client

    yield visitor
    for client in made:
        client.close()


def enter(client, password, who="Ann", **more):
    form = {"who": who, "password": password, **more}
    return client.post("/login", data=form, headers={"Origin": HOME}, follow_redirects=False)


def test_pages_lead_to_the_form_and_back(come):
    client = come()
    answer = client.get("/cells?well=A01&low=0.5")
    assert answer.status_code == 200
    assert answer.url.path == "/login"
    there = html.unescape(re.findall(r'name="next" value="([^"]*)"', answer.text)[0])
    answer = enter(client, WORDS[Role.VIEWER], next=there)
    assert answer.headers["location"] == "/cells?well=A01&low=0.5"
    assert client.get("/cells").is_success


def test_nothing_else_is_shown_before(come):
    client = come()
    assert client.get("/api/run").status_code == 401
    assert "not logged in" in client.get("/api/run").json()["detail"]
    assert client.get("/static/cells.js").status_code == 401
    assert client.get("/static/view.css").is_success
    answer = client.post("/api/session", json={"who": "x"}, headers={"Origin": HOME})
    assert answer.status_code == 401


@pytest.mark.parametrize("role", list(Role))
def test_a_password_gives_its_role_and_the_name_of_the_login(come, role):
    client = come()
    enter(client, WORDS[role], who="  Ann Lee ")
    told = client.get("/api/session").json()
    assert (told["role"], told["who"], told["login"]) == (role, "Ann Lee", True)
    renamed = client.post(
        "/api/session", json={"who": "Bea"}, headers={"X-Cellwise-Token": told["csrf"]}
    )
    assert renamed.status_code == 409


def test_without_edit_editors_are_viewers_and_need_no_name(come, shown_run):
    client = come(make_app(shown_run.run, access(edit=False)))
    assert 'name="who"' not in client.get("/login").text
    enter(client, WORDS[Role.EDITOR], who="")
    assert client.get("/api/session").json()["role"] == "viewer"


def test_the_cookie_is_for_this_host_over_tls_alone(come):
    kept = enter(come(), WORDS[Role.VIEWER]).headers["set-cookie"]
    assert kept.startswith("__Host-cellwise_")
    assert all(word in kept for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))


def test_wrong_passwords_are_few(come):
    client = come(**{"X-Forwarded-For": "203.0.113.7, 10.0.0.1"})
    for _ in range(OF_ONE):
        answer = enter(client, "a wrong one")
        assert answer.status_code == 403
        assert "not right" in answer.text
        assert "set-cookie" not in answer.headers
    refused = enter(client, WORDS[Role.EDITOR])
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 900
    # What a visitor states of itself stands before what the proxy adds.
    same = come(**{"X-Forwarded-For": "198.51.100.1, 10.0.0.1"})
    assert enter(same, WORDS[Role.EDITOR]).status_code == 429
    other = come(**{"X-Forwarded-For": "203.0.113.7, 10.0.0.2"})
    assert enter(other, WORDS[Role.EDITOR]).status_code == 303


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://cells.lab.example"]
)
def test_the_form_of_another_page_logs_nobody_in(come, origin):
    headers = {"Origin": origin} if origin else {}
    answer = come().post(
        "/login", data={"who": "x", "password": WORDS[Role.EDITOR]}, headers=headers
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_form_may_send_itself_and_nothing_more(come):
    headers = come().get("/login").headers
    assert "form-action 'self'" in headers["content-security-policy"]
    assert "script-src 'self'" in headers["content-security-policy"]
    # With `no-referrer` browsers send `Origin: null`, which is refused.
    assert headers["referrer-policy"] == "same-origin"


def test_names_come_back_as_text(come):
    answer = enter(come(), "a wrong one", who='"><script>alert(1)</script>', next='/"><b>')
    assert "<script" not in answer.text
    assert "<b>" not in answer.text


def test_a_password_begins_a_new_session_and_logging_out_ends_it(come):
    client = come()
    enter(client, WORDS[Role.VIEWER])
    first = dict(client.cookies)
    enter(client, WORDS[Role.EDITOR])
    assert dict(client.cookies) != first
    stolen = come()
    stolen.cookies.update(first)
    assert stolen.get("/api/session").status_code == 401
    second = dict(client.cookies)
    proof = {"X-Cellwise-Token": client.get("/api/session").json()["csrf"]}
    assert client.post("/api/session/end", json={}, headers=proof).is_success
    assert not client.cookies
    stolen.cookies.clear()
    stolen.cookies.update(second)
    assert stolen.get("/api/session").status_code == 401


def test_a_proxy_without_tls_and_other_names_are_refused(come):
    assert come(**{"X-Forwarded-Proto": "http"}).get("/login").status_code == 403
    assert come(host="127.0.0.1").get("/login").status_code == 403


def test_a_token_opens_nothing_where_passwords_do(come):
    client = come()
    assert client.get("/api/run", params={"token": ""}).status_code == 401
    assert client.get("/api/run", headers={"Authorization": "Bearer "}).status_code == 401


def test_long_forms_are_refused(come):
    assert enter(come(), "x" * 9000).status_code == 413


def test_after_the_password_nobody_is_led_elsewhere():
    assert next_place("/cells?a=%2F&b=1") == "/cells?a=%2F&b=1"
    for asked in (
        "", "cells", "//evil.example", "https://evil.example/", "/login?next=/login",
        "javascript:alert(1)", "/\\evil.example", "///evil.example", "http://[",
    ):  # fmt: skip
        led = next_place(asked)
        assert led.startswith("/")
        assert not led.startswith(("//", "/\\", "/login")), asked


@pytest.mark.parametrize("host", ["cells.lab.example:443/login?", "cells.lab.example:1/login#"])
def test_a_path_in_the_name_of_the_server_opens_nothing(come, host):
    assert come(host=host).get("/api/run").status_code == 403
