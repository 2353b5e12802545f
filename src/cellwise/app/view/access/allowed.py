"""What one server knows of who may come in: its names, its secrets, the sessions that are open."""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellwise.app.view.access.addresses import LOOPBACK
from cellwise.app.view.access.attempts import Attempts
from cellwise.app.view.access.passwords import Passwords
from cellwise.app.view.access.sessions import Role, Sessions

if TYPE_CHECKING:
    from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in, and as what.

    Args:
        token: The secret of the printed address; empty where passwords let people in.
        edit: Whether visitors may change something; else all are viewers.
        hosts: The names by which this server may be called, in small letters and without port.
        https: Whether visitors come over TLS.
        proxied: Whether a proxy stands before the server and states who asks.
        passwords: What lets people in, None where the token does.
        sessions: Those who are in.
        attempts: Wrong passwords.
        tickets: Secrets like the token that each hold for one visit.
    """

    token: str = ""
    edit: bool = False
    hosts: tuple[str, ...] = LOOPBACK
    https: bool = False
    proxied: bool = False
    passwords: Passwords | None = None
    sessions: Sessions = field(default_factory=Sessions)
    attempts: Attempts = field(default_factory=Attempts)
    tickets: set[str] = field(default_factory=set)
    mark: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers do not keep those of other ports apart.

        Over TLS it is one that only this host can have set.
        """
        mark = hashlib.sha256(self.token.encode()).hexdigest()[:12] if self.token else self.mark
        return f"__Host-cellwise_{mark}" if self.https else f"cellwise_{mark}"

    @property
    def role(self) -> Role:
        """What who comes with the token may do."""
        return Role.EDITOR if self.edit else Role.VIEWER

    def role_by(self, password: str) -> Role | None:
        """What who comes with this password may do, None where it is a wrong one."""
        role = self.passwords.role_of(password) if self.passwords is not None else None
        return role if role is None or self.edit else Role.VIEWER

    def is_token(self, text: str) -> bool:
        """Whether this is the token, found in a time that tells nothing of it."""
        return bool(self.token) and secrets.compare_digest(text.encode(), self.token.encode())

    def lets_in(self, text: str) -> bool:
        """Whether the secret of an address opens a session; that of a ticket does so once."""
        if self.is_token(text):
            return True
        # Not found by its time: a ticket is 192 random bits.
        known = text in self.tickets
        self.tickets.discard(text)
        return known

    def ticket(self) -> str:
        """A secret for one visit: what starts a browser, other users of a machine can read."""
        made = secrets.token_urlsafe(24)
        self.tickets.add(made)
        return made

    def client(self, request: "Request") -> str:
        """The address of who asks; behind a proxy the one that the proxy added last."""
        if self.proxied:
            told = request.headers.get("x-forwarded-for", "").split(",")[-1].strip()
            if told:
                return told
        return request.client.host if request.client is not None else ""
