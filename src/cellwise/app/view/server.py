"""The server: the report at `/`, the pages of cells and fields, the same content under `/api`.

It listens on the loopback address only; `guard` says who may see anything.
"""

import secrets
import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cellwise.app.view.guard import Access, guard
from cellwise.errors import PreflightError

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    run: Path,
    *,
    port: int = 0,
    token: str | None = None,
    open_browser: bool = True,
    edit: bool = False,
) -> None:
    """Serve a run on 127.0.0.1 until it is interrupted, and print its address.

    Args:
        run: The run folder.
        port: 0 takes a free one.
        token: The secret of the address; a fresh random one if not given.
        open_browser: Whether to open the address in the user's browser.
        edit: Whether visitors may change something: judge cells, make exports.

    Raises:
        PreflightError: The folder holds no cells, or the port is taken.
        FormatError: A table of the run is torn, or of a newer cellwise.
    """
    import uvicorn

    from cellwise.parts.memory import give_back_large_pieces

    give_back_large_pieces()
    secret = token or secrets.token_urlsafe(24)
    app = make_app(run, Access(secret, edit=edit))
    listener = _listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={quote(secret, safe='')}"
    # From here on a browser that is quicker than the server waits for it.
    listener.listen()
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


def make_app(run: Path, access: Access | str) -> "FastAPI":
    """The application for one run; `access` says who may come in, a text is a token for viewers.

    Raises:
        PreflightError: No cells were found in the run yet.
        FormatError: A table of the run is torn, or of a newer cellwise.
    """
    from fastapi import FastAPI

    from cellwise.app.view.data.opened import has_no_cells
    from cellwise.app.view.routes import cells, fields, maps, pages, session
    from cellwise.app.view.shown import Shown

    app = FastAPI(title="cellwise", docs_url=None, redoc_url=None, openapi_url=None)
    known = Access(access) if isinstance(access, str) else access
    guard(app, known)
    app.include_router(session.routes(known))
    app.include_router(pages.report(run))
    if has_no_cells(run):
        # Of whole fields the report is all there is to show.
        return app
    shown = Shown(run)
    app.include_router(pages.pages())
    app.include_router(cells.routes(shown))
    app.include_router(fields.routes(shown))
    app.include_router(maps.routes(shown))
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
