"""Who may see a run: requests with the token of this start, to a name of this machine.

Every request needs the token (in the address, or in the cookie that the first visit sets) and a
`Host` that names this machine, so that neither other users' pages nor names rebound to 127.0.0.1
can read a run.
"""

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
"""What the pages may load: nothing of other machines, and no script or style in the page itself."""


def guard(app: "FastAPI", token: str) -> None:
    """Refuse all requests but those that show the token."""
    from starlette.responses import PlainTextResponse

    cookie = "cellwise_" + hashlib.sha256(token.encode()).hexdigest()[:12]

    async def check(request: "Request", call_next: Any) -> "Response":
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in HOSTS:
            return PlainTextResponse("This address is not served here.", 403, HEADERS)
        asked = request.query_params.get("token")
        shown = asked if asked is not None else request.cookies.get(cookie, "")
        if not secrets.compare_digest(shown.encode(), token.encode()):
            words = "Open the address that `cellwise view` printed: it holds this start's token."
            return PlainTextResponse(words, 403, HEADERS)
        response: Response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers[name] = value
        if asked is not None:
            response.set_cookie(cookie, token, httponly=True, samesite="strict", path="/")
        return response

    app.middleware("http")(check)
