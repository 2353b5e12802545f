"""`cellwise view` as a program of its own: a real server with TLS, and how it ends."""

import datetime
import ipaddress
import os
import re
import select
import signal
import ssl
import subprocess
import sys
import time

import httpx
import pytest
from tests.app.view.conftest import shown_run
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.errors import UsageError

__all__ = ["shown_run"]

PASSWORD = "to look at it"


@pytest.fixture
def run(shown_run):
    """A finished run, as the command wants it."""
    record = shown_run.run / "run.json"
    assert record.is_file()
    return shown_run.run


@pytest.fixture
def certificate(tmp_path):
    """Files of a certificate of this machine that is signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cells.lab.example")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(pem))
    paths[1].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
def start(run):
    """Starts the command; gives its process and the first line that it prints."""
    started = []

    def begin(*words):
        command = [sys.executable, "-c", "from cellwise.app.cli import main; main()"]
        process = subprocess.Popen(
            [*command, "view", str(run), "--no-browser", *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        started.append(process)
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready, "nothing was printed within a minute"
        return process, process.stdout.readline()

    yield begin
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def ended(process, sent):
    process.send_signal(sent)
    out, told = process.communicate(timeout=30)
    return process.returncode, told, out


@pytest.mark.slow
def test_a_server_with_tls_lets_people_in_by_password_and_ends(start, certificate, tmp_path):
    file = tmp_path / "passwords"
    file.write_text(f"viewer: {PASSWORD}\n")
    file.chmod(0o600)
    cert, key = certificate
    process, line = start(
        "--host", "0.0.0.0", "--allow-host", "127.0.0.1", "--allow-host", "localhost",
        "--certificate", cert, "--key", key, "--password-file", file,
    )  # fmt: skip
    home = re.findall(r"https://127\.0\.0\.1:\d+", line)[0]
    assert "token" not in line
    with httpx.Client(verify=ssl.create_default_context(cafile=cert), base_url=home) as client:
        led = client.get("/cells", follow_redirects=True)
        assert led.url.path == "/login"
        form = {"password": "a wrong one"}
        assert client.post("/login", data=form, headers={"Origin": home}).status_code == 403
        form = {"password": PASSWORD, "next": "/cells"}
        inside = client.post("/login", data=form, headers={"Origin": home}, follow_redirects=True)
        assert inside.url.path == "/cells"
        assert client.get("/api/run").json()["cells"] > 0
        assert client.get("/api/session").json()["role"] == "viewer"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{home}/login")
    code, told, out = ended(process, signal.SIGTERM)
    assert (code, told) == (0, "")
    assert PASSWORD not in out


@pytest.mark.slow
def test_an_answer_that_nobody_takes_does_not_keep_it_from_ending(start):
    process, line = start("--edit")
    address, token = re.findall(r"(http://127\.0\.0\.1:\d+)/\?token=([\w-]+)", line)[0]
    port = int(address.rsplit(":", 1)[1])
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=10) as held:
        held.sendall(
            b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            + f"Authorization: Bearer {token}\r\n".encode()
            + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        told = httpx.get(f"{address}/api/session", headers={"Authorization": f"Bearer {token}"})
        assert told.json()["role"] == "editor"
        began = time.monotonic()
        code, _, _ = ended(process, signal.SIGINT)
        assert code == 0
        assert time.monotonic() - began < 20


def call(*words):
    found = CliRunner().invoke(app, ["view", *map(str, words)])
    assert found.exception is not None
    return found.exception


def test_what_others_could_read_is_refused_before_the_start(run):
    refused = call(run, "--host", "0.0.0.0")
    assert isinstance(refused, UsageError)
    assert refused.exit_code == 2
    assert "--certificate" in str(refused)


def test_a_server_for_others_needs_a_password(run):
    refused = call(run, "--behind-proxy", "cells.lab.example")
    assert isinstance(refused, UsageError)
    assert "--password-file" in str(refused)
