"""Who may see a run and who may change it: the check that every request passes.

1. `Host` names this server, so that no name that is bound anew to its address reaches it.
2. A session, known by a cookie that scripts cannot read. It begins with the token of the address
   that the command printed, which then leaves the address; programs send the token in a header.
3. What changes something comes from a page of this server (`Origin`) and carries the session's
   `X-Cellwise-Token`, which pages of others cannot know.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, unquote, urlencode

from fastapi import Depends, HTTPException
from starlette.requests import Request

from cellwise.app.view.access.addresses import LOOPBACK, host_of, place, same_origin
from cellwise.app.view.access.sessions import Role, Session, Sessions, name_of_person

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the pages may load: nothing of other machines, and no script or style in the page itself."""
PROOF = "X-Cellwise-Token"
"""The header that carries a session's `csrf` with whatever changes something."""
NAME = "X-Cellwise-Name"
"""The header in which a program that sends the token states who its verdicts are of."""
MOST_BYTES = 32 * 2**20
"""The longest body of a request."""
NAME_COOKIE = "cellwise_name"
_READING = ("GET", "HEAD", "OPTIONS")
_TOKEN_WORDS = "Open the address that `cellwise view` printed: it holds this start's token."


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in, and as what.

    Args:
        token: The secret of the printed address.
        edit: Whether visitors may change something; else all are viewers.
        hosts: The names by which this server may be called.
        https: Whether visitors come over TLS.
        sessions: Those who are in.
    """

    token: str
    edit: bool = False
    hosts: tuple[str, ...] = LOOPBACK
    https: bool = False
    sessions: Sessions = field(default_factory=Sessions)

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers do not keep those of other ports apart."""
        return "cellwise_" + hashlib.sha256(self.token.encode()).hexdigest()[:12]

    @property
    def role(self) -> Role:
        """What who comes with the token may do."""
        return Role.EDITOR if self.edit else Role.VIEWER

    def is_token(self, text: str) -> bool:
        """Whether this is the token, found in a time that tells nothing of it."""
        return bool(self.token) and secrets.compare_digest(text.encode(), self.token.encode())


class _Refused(Exception):
    def __init__(self, words: str, status: int = 403) -> None:
        super().__init__(words)
        self.words, self.status = words, status


def guard(app: "FastAPI", access: Access) -> None:
    """Let nobody through but those who may; `request.state.session` says who asks."""
    from starlette.responses import JSONResponse, PlainTextResponse

    async def check(request: Request, call_next: Any) -> "Response":
        try:
            if host_of(request.headers.get("host", "")) not in access.hosts:
                raise _Refused("This address is not served here.")
            if "token" in request.query_params:
                return _welcome(request, access)
            request.state.session = _session(request, access)
            if request.method not in _READING:
                _check_change(request, access)
        except _Refused as refused:
            if request.url.path.startswith("/api/") and request.method not in _READING:
                return JSONResponse({"detail": refused.words}, refused.status, HEADERS)
            return PlainTextResponse(refused.words, refused.status, HEADERS)
        response: Response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    app.middleware("http")(check)


def _welcome(request: Request, access: Access) -> "Response":
    """Begin a session and lead to the same address without the token."""
    from starlette.responses import RedirectResponse

    if request.method not in _READING or not access.is_token(request.query_params["token"]):
        raise _Refused(_TOKEN_WORDS)
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    query = urlencode([(name, value) for name, value in pairs if name != "token"])
    response = RedirectResponse(place(request.url.path, query), 303, HEADERS)
    session = access.sessions.find(request.cookies.get(access.cookie, ""))
    if session is None:
        known = unquote(request.cookies.get(NAME_COOKIE, ""))
        session = access.sessions.open(access.role, name_of_person(known))
    # Lax, as a link from elsewhere may lead here; nothing is changed by following one.
    response.set_cookie(
        access.cookie, session.key, httponly=True, samesite="lax", path="/", secure=access.https
    )
    return response


def _session(request: Request, access: Access) -> Session:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and access.is_token(secret.strip()):
        # A browser never sends this header by itself: no page of others can make it do so.
        request.state.proven = True
        return Session(access.role, name_of_person(unquote(request.headers.get(NAME, ""))))
    session = access.sessions.find(request.cookies.get(access.cookie, ""))
    if session is None:
        raise _Refused(_TOKEN_WORDS)
    return session


def _check_change(request: Request, access: Access) -> None:
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None and not same_origin(origin, headers["host"], https=access.https):
        raise _Refused("This was asked for by a page of another server.")
    if not getattr(request.state, "proven", False):
        shown = headers.get(PROOF, "").encode()
        if not secrets.compare_digest(shown, request.state.session.csrf.encode()):
            raise _Refused(f"The header {PROOF} is missing or out of date. Load the page again.")
    size = headers.get("content-length", "")
    if not size.isdecimal():
        raise _Refused("State the length of what you send (Content-Length).", 411)
    if int(size) > MOST_BYTES:
        raise _Refused(f"More than {MOST_BYTES // 2**20} MB at once are not taken.", 413)


def visitor(request: Request) -> Session:
    """The session of who asks."""
    session: Session = request.state.session
    return session


def editor(request: Request) -> Session:
    """The session of who asks, where they may change something.

    Raises:
        HTTPException: 403, with words, for viewers.
    """
    session = visitor(request)
    if session.role is not Role.EDITOR:
        raise HTTPException(
            403,
            "You may look at this run but not change it. Whoever started the page lets people "
            "change it with `cellwise view RUN --edit`.",
        )
    return session


Visitor = Annotated[Session, Depends(visitor)]
"""Who asks, as a parameter of a route."""
Editor = Annotated[Session, Depends(editor)]
"""Who asks, as a parameter of a route that is for editors alone."""
