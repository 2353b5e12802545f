"""The server: the report at `/`, the gallery at `/cells`, the same content as JSON under `/api`.

It listens on the loopback address only. Every request needs the token of this start (in the
address, or in the cookie that the first visit sets) and a `Host` that names this machine, so that
neither other users' pages nor names rebound to 127.0.0.1 can read a run.
"""

import hashlib
import secrets
import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from cellwise.errors import PreflightError, UsageError
from cellwise.store.run.folder import RunFolder

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from cellwise.app.view.gallery import Gallery

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "cells.js": "text/javascript",
    "api.js": "text/javascript",
    "state.js": "text/javascript",
    "card.js": "text/javascript",
    "channels.js": "text/javascript",
    "view.css": "text/css",
}
_HOSTS = ("127.0.0.1", "localhost")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def serve(run: Path, *, port: int = 0, token: str | None = None, open_browser: bool = True) -> None:
    """Serve a run on 127.0.0.1 until it is interrupted, and print its address.

    Args:
        run: The run folder.
        port: 0 takes a free one.
        token: The secret of the address; a fresh random one if not given.
        open_browser: Whether to open the address in the user's browser.

    Raises:
        PreflightError: The folder holds no cells, or the port is taken.
    """
    import uvicorn

    secret = token or secrets.token_urlsafe(24)
    app = make_app(run, secret)
    listener = _listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={quote(secret, safe='')}"
    print(f"{run} is shown at {address}\nStop with Ctrl+C.", flush=True)
    if open_browser:
        webbrowser.open(address)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        # The server has closed its connections; an interrupt is how it is meant to end.
        return
    finally:
        listener.close()


def make_app(run: Path, token: str) -> "FastAPI":
    """The application for one run; `token` is what every request must show."""
    from fastapi import FastAPI

    from cellwise.app.view.gallery import has_no_cells, open_gallery

    app = FastAPI(title="cellwise", docs_url=None, redoc_url=None, openapi_url=None)
    _guard(app, token)
    _pages(app, run)
    if has_no_cells(run):
        # Of whole fields the report is all there is to show.
        return app
    gallery = open_gallery(run)
    _gallery_page(app)
    _api(app, gallery)
    _images(app, gallery)
    return app


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PreflightError(
            f"Port {port} cannot be used ({error.strerror}). Choose another --port, or 0."
        ) from error
    return listener


def _guard(app: "FastAPI", token: str) -> None:
    from starlette.responses import PlainTextResponse

    cookie = "cellwise_" + hashlib.sha256(token.encode()).hexdigest()[:12]

    async def check(request: "Request", call_next: Any) -> "Response":
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in _HOSTS:
            return PlainTextResponse("This address is not served here.", 403, _HEADERS)
        asked = request.query_params.get("token")
        shown = asked if asked is not None else request.cookies.get(cookie, "")
        if not secrets.compare_digest(shown.encode(), token.encode()):
            words = "Open the address that `cellwise view` printed: it holds this start's token."
            return PlainTextResponse(words, 403, _HEADERS)
        response: Response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers[name] = value
        if asked is not None:
            response.set_cookie(cookie, token, httponly=True, samesite="strict", path="/")
        return response

    app.middleware("http")(check)


def _pages(app: "FastAPI", run: Path) -> None:
    from fastapi.responses import FileResponse, HTMLResponse

    @app.get("/", response_class=HTMLResponse)
    def report() -> Any:
        path = RunFolder(run).report
        if not path.is_file():
            return HTMLResponse(
                "<!DOCTYPE html><title>cellwise</title><p>This run has no report yet: "
                "<code>cellwise report RUN</code> makes it. <a href='/cells'>The cells</a>"
            )
        return FileResponse(path, media_type="text/html")


def _gallery_page(app: "FastAPI") -> None:
    from fastapi import HTTPException
    from fastapi.responses import FileResponse, HTMLResponse

    @app.get("/cells", response_class=HTMLResponse)
    def cells() -> Any:
        headers = {"Content-Security-Policy": _POLICY}
        return FileResponse(_STATIC / "cells.html", media_type="text/html", headers=headers)

    @app.get("/static/{name}")
    def static(name: str) -> Any:
        # Names are looked up, never joined to a path: nothing else can be reached.
        if name not in _FILES:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(_STATIC / name, media_type=_FILES[name])


def _api(app: "FastAPI", gallery: "Gallery") -> None:
    from fastapi import HTTPException, Query

    from cellwise.app.view.question import Question, Sort, answer, as_json

    share = Query(ge=0, le=1)

    @app.get("/api/run")
    def facts() -> dict[str, Any]:
        return gallery.facts()

    @app.get("/api/cells")
    def cells(
        name: Annotated[str, Query(alias="class")] = "",
        plate: str = "",
        well: str = "",
        site: str = "",
        cell: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        low: Annotated[float, share] = 0.0,
        high: Annotated[float, share] = 1.0,
        unsure: Annotated[float, share] = 0.0,
        assigned: Literal["", "yes", "no"] = "",
        sort: Sort = "probability",
        order: Literal["down", "up"] = "down",
        page: Annotated[int, Query(ge=1, le=10_000_000)] = 1,
    ) -> dict[str, Any]:
        if name and name not in gallery.classes:
            raise HTTPException(404, "There is no such class in this run.")
        chosen = name or next(iter(gallery.classes), "")
        asked = Question(
            chosen, plate, well, site, cell, low, high, unsure, assigned, sort, order, page
        )
        found = answer(gallery.table, asked)
        return {
            "class": chosen,
            "total": found.total,
            "page": found.page,
            "pages": found.pages,
            "cells": [
                as_json(row, chosen) | {"bar": gallery.bar(row)} for row in found.rows.to_dicts()
            ],
        }


def _images(app: "FastAPI", gallery: "Gallery") -> None:
    from fastapi import HTTPException, Query
    from fastapi.responses import Response

    def png(content: bytes | None) -> Response:
        if content is None:
            raise HTTPException(404, "There is no image of such a cell.")
        return Response(content, media_type="image/png")

    @app.get("/api/cells/{site_id}/{cell_id}.png")
    def image(
        site_id: str,
        cell_id: int,
        channels: Annotated[str | None, Query(pattern=r"^(\d{1,3}(,\d{1,3})*)?$")] = None,
    ) -> Response:
        shown = None if channels is None else [int(place) for place in channels.split(",") if place]
        try:
            return png(gallery.image(site_id, cell_id, shown))
        except UsageError as error:
            raise HTTPException(422, str(error)) from error

    @app.get("/api/cells/{site_id}/{cell_id}/outline.png")
    def outline(site_id: str, cell_id: int) -> Response:
        return png(gallery.outline(site_id, cell_id))
