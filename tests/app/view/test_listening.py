"""Where a server listens, and what is refused."""

import socket

import pytest

from cellwise.app.view.listening import Listening
from cellwise.errors import PreflightError, UsageError

EVERYWHERE = "0.0.0.0"


@pytest.fixture
def pair(tmp_path):
    return {"certificate": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}


def test_without_a_word_only_this_machine_reaches_it():
    listening = Listening()
    assert listening.is_private
    assert not listening.https
    assert listening.hosts == ("127.0.0.1", "localhost", "[::1]")
    assert listening.addresses(8000) == ["http://127.0.0.1:8000/"]
    with listening.open() as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.4", "lab.example", ""])
def test_the_network_is_refused_without_tls(host):
    with pytest.raises(UsageError, match=r"--certificate and --key, or --behind-proxy HOST"):
        Listening(host=host, allow_hosts=("lab.example",))


def test_certificate_and_key_go_together(pair):
    for one in pair:
        with pytest.raises(UsageError, match="go together"):
            Listening(**{one: pair[one]})


def test_with_a_certificate_its_names_are_known(pair):
    one = Listening(host="192.168.1.4", **pair)
    assert one.hosts == ("192.168.1.4",)
    assert one.addresses(8443) == ["https://192.168.1.4:8443/"]
    assert not one.is_private
    named = Listening(host=EVERYWHERE, allow_hosts=("Cells.Lab.Example", "10.0.0.7"), **pair)
    assert named.hosts == ("cells.lab.example", "10.0.0.7")
    assert named.addresses(443)[0] == "https://cells.lab.example:443/"
    six = Listening(host="2001:db8::5", **pair)
    assert six.hosts == ("[2001:db8::5]",)
    assert six.addresses(9) == ["https://[2001:db8::5]:9/"]


def test_all_addresses_need_a_name(pair):
    with pytest.raises(UsageError, match="--allow-host"):
        Listening(host=EVERYWHERE, **pair)


def test_behind_a_proxy_its_name_is_the_only_one():
    listening = Listening(behind_proxy="cells.lab.example:8443")
    assert listening.hosts == ("cells.lab.example",)
    assert listening.https
    assert not listening.is_private
    assert listening.addresses(8000) == ["https://cells.lab.example:8443/"]


@pytest.mark.parametrize("name", ["https://lab.example", "lab.example/x", "a b", "*", "x:y", ":8"])
def test_what_is_no_name_is_said(name):
    with pytest.raises(UsageError, match="no name of a host"):
        Listening(behind_proxy=name)
    with pytest.raises(UsageError, match="no name of a host"):
        Listening(allow_hosts=(name,))


def test_files_that_are_no_certificate_are_said_before_the_start(pair):
    listening = Listening(**pair)
    with pytest.raises(PreflightError, match="cannot be read"):
        listening.check_certificate()
    for path in pair.values():
        path.write_text("nothing")
    with pytest.raises(PreflightError, match="PEM"):
        listening.check_certificate()


def test_an_address_of_another_machine_is_refused(pair):
    with pytest.raises(PreflightError, match=r"198\.51\.100\.7"):
        Listening(host="198.51.100.7", **pair).open()


def test_this_machine_by_another_of_its_addresses():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    listening = Listening(host="::1")
    assert "[::1]" in listening.hosts
    assert listening.addresses(80) == ["http://[::1]:80/"]
