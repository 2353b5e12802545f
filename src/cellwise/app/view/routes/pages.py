"""The pages and the files they are made of."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, HTMLResponse

from cellwise.app.view.guard import POLICY
from cellwise.store.run.folder import RunFolder

_STATIC = Path(__file__).parents[1] / "static"
_KINDS = {".js": "text/javascript", ".css": "text/css"}
# Names are looked up, never joined to a path: nothing else can be reached.
_FILES = {
    path.name: (path, _KINDS[path.suffix])
    for path in sorted(_STATIC.iterdir())
    if path.suffix in _KINDS
}
# The report is a page of its own with its scripts in it: it loads nothing, and as a page of no
# server it can neither read from this one nor ask it for anything.
_REPORT_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-scripts allow-popups allow-modals allow-downloads"
)
PAGES = ("cells", "fields", "field", "map", "exports")


def report(run: Path) -> APIRouter:
    """The report at `/`."""
    router = APIRouter()
    headers = {"Content-Security-Policy": _REPORT_POLICY}

    @router.get("/", response_class=HTMLResponse)
    def at_start() -> Any:
        path = RunFolder(run).report
        if not path.is_file():
            return HTMLResponse(
                "<!DOCTYPE html><title>cellwise</title><p>This run has no report yet: "
                "<code>cellwise report RUN</code> makes it. <a href='/cells'>The cells</a>",
                headers=headers,
            )
        return FileResponse(path, media_type="text/html", headers=headers)

    return router


def pages(names: tuple[str, ...] = PAGES) -> APIRouter:
    """Pages by name, and `/static`."""
    router = APIRouter()
    headers = {"Content-Security-Policy": POLICY}

    def page(name: str) -> Any:
        return FileResponse(_STATIC / f"{name}.html", media_type="text/html", headers=headers)

    for name in names:
        router.add_api_route(f"/{name}", lambda name=name: page(name), response_class=HTMLResponse)

    @router.get("/static/{name}")
    def static(name: str) -> Any:
        if name not in _FILES:
            raise HTTPException(404, "There is no such file.")
        path, kind = _FILES[name]
        return FileResponse(path, media_type=kind)

    return router
