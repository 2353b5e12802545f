"""Where the server listens, and by which names people reach it."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cellwise.app.view.access.addresses import LOOPBACK, host_of, is_loopback
from cellwise.errors import PreflightError, UsageError

_ALL = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens.

    Args:
        host: An address or name of this machine.
        port: 0 takes a free one.
        certificate, key: PEM files of the server's certificate (with its chain) and key.
        behind_proxy: `HOST` or `HOST:PORT` of a proxy that adds TLS, as people call it.
        allow_hosts: Further names by which people reach the server.

    Raises:
        UsageError: What is sent could be read on the network, or nobody could reach the server.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: str = ""
    allow_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError("--certificate and --key go together: give both files.")
        if not is_loopback(self.host) and not self.https:
            raise UsageError(
                f"--host {self.host} is reached by other machines, and without TLS the network "
                "reads passwords and images. Give --certificate and --key, or --behind-proxy HOST "
                "where a proxy adds TLS. For yourself alone `ssh -L 8000:127.0.0.1:8000` to this "
                "machine with --port 8000 is enough."
            )
        for name in (*self.allow_hosts, self.behind_proxy):
            if name and not _is_name(name):
                raise UsageError(f"{name!r} is no name of a host, such as cells.lab.example.")
        if not self.hosts:
            raise UsageError(
                f"--host {self.host} means all addresses of this machine. Say with --allow-host "
                "NAME (more than once if need be) by which names people reach it."
            )

    @property
    def https(self) -> bool:
        """Whether visitors come over TLS."""
        return self.certificate is not None or bool(self.behind_proxy)

    @property
    def is_private(self) -> bool:
        """Whether only this machine is meant to reach it."""
        return is_loopback(self.host) and not self.behind_proxy

    @property
    def hosts(self) -> tuple[str, ...]:
        """All names that a request may call the server by."""
        own: tuple[str, ...] = ()
        if self.is_private:
            own = (*LOOPBACK, _written(self.host))
        elif not is_loopback(self.host) and self.host not in _ALL and not self.behind_proxy:
            own = (_written(self.host),)
        named = (*own, self.behind_proxy, *self.allow_hosts)
        return tuple(dict.fromkeys(host_of(name) for name in named if name))

    def addresses(self, port: int) -> list[str]:
        """What people open, once the port is known."""
        if self.behind_proxy:
            return [f"https://{self.behind_proxy}/"]
        scheme = "https" if self.https else "http"
        names = (_written(self.host),) if self.host not in _ALL else self.hosts
        return [f"{scheme}://{name}:{port}/" for name in names]

    def check_certificate(self) -> None:
        """Find out that certificate and key can be used.

        Raises:
            PreflightError: They cannot, with the reason.
        """
        if self.certificate is None or self.key is None:
            return
        where = f"--certificate {self.certificate} --key {self.key}"
        try:
            # A key that needs a password would ask for it in the middle of the start.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.certificate, self.key, password=""
            )
        except (ssl.SSLError, ValueError) as error:
            raise PreflightError(
                f"{where}: not a certificate in PEM form with its key, without a password "
                f"({error})."
            ) from error
        except OSError as error:
            raise PreflightError(f"{where}: cannot be read ({error.strerror}).") from error

    def open(self) -> socket.socket:
        """A socket that is bound and does not listen yet.

        Raises:
            PreflightError: The port is taken, or the address is not one of this machine.
        """
        try:
            found = socket.getaddrinfo(
                self.host.strip("[]"), self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except socket.gaierror as error:
            raise PreflightError(f"--host {self.host} is not known here ({error}).") from error
        # A name such as localhost has one of IPv4 too, which programs try first.
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            listener.close()
            raise PreflightError(
                f"Port {self.port} of {self.host} cannot be used ({error.strerror}). Choose "
                "another --port, or 0, and an address of this machine."
            ) from error
        return listener


def _written(host: str) -> str:
    """An address as it stands in the address of a page."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_name(text: str) -> bool:
    return bool(host_of(text))
