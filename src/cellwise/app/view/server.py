"""The server: the report at `/`, the pages of cells and fields, the same content under `/api`.

`listening` says where it listens, `guard` who may see anything.
"""

import secrets
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cellwise.app.view.access.passwords import Passwords
from cellwise.app.view.guard import Access, guard
from cellwise.app.view.listening import Listening

if TYPE_CHECKING:
    from fastapi import FastAPI

_SECONDS_TO_END = 5
"""How long answers that are on their way may take when the server is stopped."""


def serve(
    run: Path,
    listening: Listening,
    *,
    passwords: Passwords | None = None,
    edit: bool = False,
    open_browser: bool = True,
) -> None:
    """Serve a run until it is interrupted, and print its address.

    Args:
        run: The run folder.
        listening: Where.
        passwords: What lets people in; else the token of the printed address does.
        edit: Whether visitors may change something: judge cells, make exports.
        open_browser: Whether to open the address in the user's browser.

    Raises:
        PreflightError: The folder holds no cells, or the port is taken.
        FormatError: A table of the run is torn, or of a newer cellwise.
    """
    import uvicorn

    from cellwise.parts.memory import give_back_large_pieces

    give_back_large_pieces()
    access = Access(
        token="" if passwords is not None else secrets.token_urlsafe(24),
        edit=edit,
        hosts=listening.hosts,
        https=listening.https,
        proxied=bool(listening.behind_proxy),
        passwords=passwords,
    )
    app = make_app(run, access)
    listener = listening.open()
    addresses = listening.addresses(listener.getsockname()[1])
    # From here on a browser that is quicker than the server waits for it.
    listener.listen()
    shown = ", ".join(address + _secret(access.token) for address in addresses)
    print(f"{run} is shown at {shown}\nStop with Ctrl+C.", flush=True)
    if open_browser:
        # Other users of this machine can read what a browser is started with.
        webbrowser.open(addresses[0] + (_secret(access.ticket()) if access.token else ""))
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Whoever asks could state any address there; `Access.client` reads what a proxy added.
        proxy_headers=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        # The server has closed its connections; an interrupt is how it is meant to end.
        return
    finally:
        listener.close()


def _secret(token: str) -> str:
    return f"?token={quote(token, safe='')}" if token else ""


def make_app(run: Path, access: Access | str) -> "FastAPI":
    """The application for one run; `access` says who may come in, a text is a token for viewers.

    Raises:
        PreflightError: No cells were found in the run yet.
        FormatError: A table of the run is torn, or of a newer cellwise.
    """
    from fastapi import FastAPI

    from cellwise.app.view.data.opened import has_no_cells
    from cellwise.app.view.desk.desk import Desk
    from cellwise.app.view.exports.jobs import Jobs
    from cellwise.app.view.learning.process import Learning
    from cellwise.app.view.routes import (
        cells,
        desk,
        exports,
        fields,
        learn,
        login,
        maps,
        pages,
        session,
    )
    from cellwise.app.view.shown import Shown

    jobs, learning = Jobs(run), Learning(run)
    at_desk: list[Desk] = []
    showing: list[Shown] = []

    @asynccontextmanager
    async def ends(_: FastAPI) -> AsyncIterator[None]:
        yield
        # What the page started ends with it.
        jobs.stop()
        learning.close()
        for each in showing:
            each.stop()
        for one in at_desk:
            one.finish()

    app = FastAPI(title="cellwise", docs_url=None, redoc_url=None, openapi_url=None, lifespan=ends)
    known = Access(access) if isinstance(access, str) else access
    guard(app, known)
    app.include_router(session.routes(known))
    if known.passwords is not None:
        app.include_router(login.routes(known))
    app.include_router(pages.report(run))
    app.include_router(exports.routes(run, jobs))
    if has_no_cells(run):
        # Of whole fields there are the report and tables of wells.
        app.include_router(pages.pages(("exports",)))
        return app
    shown = Shown(run)
    showing.append(shown)
    at_desk.append(Desk(shown))
    app.include_router(pages.pages())
    app.include_router(cells.routes(shown))
    app.include_router(fields.routes(shown))
    app.include_router(maps.routes(shown))
    app.include_router(desk.routes(at_desk[0]))
    app.include_router(learn.routes(learning, shown))
    return app
