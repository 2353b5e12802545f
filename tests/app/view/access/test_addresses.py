"""Names and origins as requests state them."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.app.view.access.addresses import host_of, is_loopback, place, same_origin


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("127.0.0.1:8123", "127.0.0.1"),
        ("LOCALHOST", "localhost"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("cells.lab.example:8443", "cells.lab.example"),
        ("", ""),
        ("[", ""),
        ("127.0.0.1:80/login?", ""),
        ("127.0.0.1#", ""),
        ("user@127.0.0.1", ""),
        ("127.0.0.1:", ""),
    ],
)
def test_the_name_is_without_port(header, host):
    assert host_of(header) == host


def test_origins_are_compared_whole():
    host = "cells.lab.example:8443"
    assert same_origin("https://cells.lab.example:8443", host, https=True)
    for other in (
        "https://cells.lab.example",
        "http://cells.lab.example:8443",
        "https://evil.example:8443",
        "https://cells.lab.example:8443.evil.example",
        "https://cells.lab.example:8443@evil.example",
        "https://cells.lab.example:8443/path",
        "https://cells.lab.example:x",
        "null",
        "",
    ):
        assert not same_origin(other, host, https=True), other


def test_the_usual_port_may_be_left_out():
    assert same_origin("https://lab.example", "lab.example:443", https=True)
    assert same_origin("http://127.0.0.1:80", "127.0.0.1", https=False)
    assert same_origin("http://[::1]:8000", "[::1]:8000", https=False)
    assert not same_origin("http://lab.example", "lab.example", https=True)
    assert not same_origin("null", "", https=False)


@given(st.text(max_size=60))
def test_a_place_never_leads_to_another_server(path):
    led = urlsplit(urljoin("http://127.0.0.1:80/at", place(path)))
    assert (led.scheme, led.netloc) == ("http", "127.0.0.1:80")
    assert "\\" not in place(path)
    assert place(path).isascii()
    assert place(path).isprintable()


def test_a_place_keeps_its_question():
    assert place("/fields", "well=A01") == "/fields?well=A01"
    assert place("//evil.example/x") == "/evil.example/x"


def test_addresses_that_only_this_machine_reaches():
    assert all(is_loopback(one) for one in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"))
    assert not any(is_loopback(one) for one in ("0.0.0.0", "::", "10.0.0.5", "lab.example", ""))
