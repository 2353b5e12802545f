"""Who may see a run and who may change it: the check that every request passes.

1. `Host` names this server, so that no name that is bound anew to its address reaches it.
2. A session, known by a cookie that scripts cannot read. It begins with the token of the address
   that the command printed, which then leaves the address, or with a password; programs send the
   token in a header.
3. What changes something comes from a page of this server (`Origin`) and carries the session's
   `X-Cellwise-Token`, which pages of others cannot know.
"""

import json
import secrets
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, unquote, urlencode

from fastapi import Depends, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from cellwise.app.view.access.addresses import host_of, place, same_origin
from cellwise.app.view.access.allowed import Access as Access
from cellwise.app.view.access.sessions import Role, Session, name_of_person

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
LOGIN = "/login"
_OPEN = (LOGIN, "/static/view.css")
"""What the page that asks for a password needs."""
_READING = ("GET", "HEAD", "OPTIONS")
_TOKEN_WORDS = "Open the address that `cellwise view` printed: it holds this start's token."


class _Refused(Exception):
    def __init__(self, words: str, status: int = 403) -> None:
        super().__init__(words)
        self.words, self.status = words, status


def guard(app: "FastAPI", access: Access) -> None:
    """Let nobody through but those who may; `request.state.session` says who asks."""

    async def check(request: Request, call_next: Any) -> "Response":
        try:
            early = _check_asker(request, access)
        except _Refused as refused:
            return _refusal(request, access, refused)
        if early is not None:
            return early
        response: Response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    app.middleware("http")(check)
    app.exception_handler(RequestValidationError)(_misunderstood)


async def _misunderstood(_: Request, error: RequestValidationError) -> "Response":
    """What cannot be understood, without repeating it: not every value can be sent back."""
    from starlette.responses import Response

    faults = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
    # Signs that are no text are written as escapes.
    return Response(json.dumps({"detail": faults}), 422, media_type="application/json")


def _check_asker(request: Request, access: Access) -> "Response | None":
    """Take in who asks; an answer where that is all there is to do."""
    if host_of(request.headers.get("host", "")) not in access.hosts:
        raise _Refused("This address is not served here.")
    if access.proxied and request.headers.get("x-forwarded-proto", "https") != "https":
        raise _Refused("The proxy was asked without TLS. Open the address with https://.")
    reading = request.method in _READING
    if access.token and "token" in request.query_params:
        return _welcome(request, access)
    if access.passwords is not None and _path(request) in _OPEN:
        if not reading:
            _check_origin(request, access, needed=True)
            _check_length(request)
        return None
    request.state.session = _session(request, access)
    if not reading:
        _check_origin(request, access)
        _check_proof(request)
        _check_length(request)
    return None


def _path(request: Request) -> str:
    """The path that is routed; that of `request.url` is put together from what `Host` states."""
    path: str = request.scope["path"]
    return path


def _query(request: Request) -> str:
    text: bytes = request.scope["query_string"]
    return text.decode("latin-1")


def _refusal(request: Request, access: Access, refused: _Refused) -> "Response":
    from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

    path, reading = _path(request), request.method in _READING
    if refused.status == 401 and reading and not path.startswith(("/api/", "/static/")):
        there = place(path, _query(request))
        target = LOGIN if there == "/" else f"{LOGIN}?{urlencode({'next': there})}"
        return RedirectResponse(target, 303, HEADERS)
    if path.startswith("/api/") and (access.passwords is not None or not reading):
        return JSONResponse({"detail": refused.words}, refused.status, HEADERS)
    return PlainTextResponse(refused.words, refused.status, HEADERS)


def _welcome(request: Request, access: Access) -> "Response":
    """Begin a session and lead to the same address without the token."""
    from starlette.responses import RedirectResponse

    if request.method not in _READING or not access.lets_in(request.query_params["token"]):
        raise _Refused(_TOKEN_WORDS)
    pairs = parse_qsl(_query(request), keep_blank_values=True)
    query = urlencode([(name, value) for name, value in pairs if name != "token"])
    response = RedirectResponse(place(_path(request), query), 303, HEADERS)
    session = access.sessions.find(request.cookies.get(access.cookie, ""))
    if session is None:
        known = unquote(request.cookies.get(NAME_COOKIE, ""))
        session = access.sessions.open(access.role, name_of_person(known))
    keep_session(response, access, session)
    return response


def keep_session(response: "Response", access: Access, session: Session) -> None:
    """Let the browser keep the secret of a session."""
    # Lax, as a link from elsewhere may lead here; nothing is changed by following one.
    response.set_cookie(
        access.cookie, session.key, httponly=True, samesite="lax", path="/", secure=access.https
    )


def _session(request: Request, access: Access) -> Session:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and access.is_token(secret.strip()):
        # A browser never sends this header by itself: no page of others can make it do so.
        request.state.proven = True
        return Session(access.role, name_of_person(unquote(request.headers.get(NAME, ""))))
    session = access.sessions.find(request.cookies.get(access.cookie, ""))
    if session is None and access.passwords is not None:
        raise _Refused(
            "You are not logged in, or your session has ended. Load the page again.", 401
        )
    if session is None:
        raise _Refused(_TOKEN_WORDS)
    return session


def _check_origin(request: Request, access: Access, *, needed: bool = False) -> None:
    origin = request.headers.get("origin")
    if origin is None and not needed:
        return
    if not same_origin(origin or "", request.headers["host"], https=access.https):
        raise _Refused("This was asked for by a page of another server.")


def _check_proof(request: Request) -> None:
    if getattr(request.state, "proven", False):
        return
    shown = request.headers.get(PROOF, "").encode()
    if not secrets.compare_digest(shown, request.state.session.csrf.encode()):
        raise _Refused(f"The header {PROOF} is missing or out of date. Load the page again.")


def _check_length(request: Request) -> None:
    size = request.headers.get("content-length", "")
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
