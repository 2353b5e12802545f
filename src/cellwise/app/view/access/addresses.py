"""Names of a server and origins of pages, as requests state them."""

import ipaddress
import re
from urllib.parse import quote, urlsplit

_HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine for itself."""


def host_of(header: str) -> str:
    """The name in a `Host` header, in small letters and without port; of IPv6 in brackets.

    Empty where more than a name and a port stands there, as a path would.
    """
    found = _HOST.fullmatch(header.strip().lower())
    return found[1] if found is not None else ""


def same_origin(origin: str, host: str, *, https: bool) -> bool:
    """Whether a page of this `Origin` is one of the server that is called by this `Host` header.

    A port that is the usual one of the scheme may be said or left out.
    """
    scheme = "https" if https else "http"
    return bool(host) and _whole(origin) == _whole(f"{scheme}://{host}")


def _whole(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port
    except ValueError:
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    if usual is None or not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port if port is not None else usual


def place(path: str, query: str = "") -> str:
    """An address on this server, such as `/cells?well=A01`, that can lead to no other one."""
    # Two slashes at the start would name another server.
    clean = "/" + quote(path.lstrip("/\\"), safe="/%:@!$&'()*+,;=~-._")
    return f"{clean}?{query}" if query else clean


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
