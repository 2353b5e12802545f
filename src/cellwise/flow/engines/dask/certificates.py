"""Who may talk to a scheduler: certificates made for one run, and what counts as this machine.

Whoever reaches a scheduler without certificates runs what they like as its user, so one that
listens beyond this machine asks for certificates on both sides.
"""

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_NAME = "cellwise"
# Clocks of other hosts may go behind or ahead.
_BEFORE, _AFTER = timedelta(days=1), timedelta(days=365)


def made_security(folder: Path | None = None) -> Any:
    """A `distributed.security.Security` with a key and a certificate made for this run.

    Args:
        folder: Where they are written, for workers that are started by others; made with rights
            for its user alone. None keeps them in memory.
    """
    key, certificate = _made()
    if folder is not None:
        folder.mkdir(parents=True, mode=0o700)
        key = _written(folder / "key.pem", key)
        certificate = _written(folder / "certificate.pem", certificate)
    return security_of(certificate, certificate, key)


def security_of(authority: str, certificate: str, key: str) -> Any:
    """A `Security` that asks for certificates on both sides.

    Args:
        authority: File or text of the certificates that are believed.
        certificate: File or text of one's own.
        key: File or text of its key.
    """
    from distributed.security import Security

    roles = ("client", "scheduler", "worker")
    own = {f"tls_{role}_cert": certificate for role in roles}
    own |= {f"tls_{role}_key": key for role in roles}
    return Security(require_encryption=True, tls_ca_file=authority, **own)


def is_here(address: str) -> bool:
    """Whether an address such as `tcp://localhost:8786` is one of this machine alone.

    A name that is not known is not.
    """
    host = urlsplit(address if "://" in address else f"tcp://{address}").hostname or ""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one).is_loopback for one in found)


def _made() -> tuple[str, str]:
    """A key and a certificate that vouches for itself, as texts in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _AFTER)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _written(path: Path, text: str) -> str:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)
