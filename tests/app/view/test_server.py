"""Who may see a run, and what they get."""

import json

import pytest
from fastapi.testclient import TestClient
from tests.app.view.conftest import TOKEN

from cellwise.app.view.listening import Listening
from cellwise.app.view.server import make_app
from cellwise.errors import PreflightError
from cellwise.store.run.folder import RunFolder

PLACES = (
    "/",
    "/cells",
    "/api/run",
    "/api/session",
    "/api/cells",
    "/api/cells/sheet.jpg",
    "/api/cells/outlines.bin",
    "/api/cells/plate_A01/1",
    "/api/cells/plate_A01/1/image.jpg",
    "/api/fields/plate_A01/tiles/0/0/0.jpg",
    "/api/cells.csv",
    "/static/cells.js",
)


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
        "/api/cells/..%2F..%2Frun/1/image.jpg",
        "/api/cells/%2e%2e/1",
        "/api/fields/..%2F..%2Frun.json/small.jpg",
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


def test_the_report_is_kept_apart_from_the_rest_of_the_page(client):
    """A script in a report could otherwise act as its reader."""
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy


def test_an_unfinished_run_is_refused_with_advice(tmp_path):
    with pytest.raises(PreflightError, match="Finish the run first"):
        make_app(tmp_path, TOKEN)


def test_a_port_in_use_is_named():
    first = Listening().open()
    first.listen()
    port = first.getsockname()[1]
    try:
        with pytest.raises(PreflightError, match=str(port)):
            Listening(port=port).open()
    finally:
        first.close()


def test_only_the_loopback_address_is_listened_on():
    listener = Listening().open()
    assert listener.getsockname()[0] == "127.0.0.1"
    listener.close()


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
