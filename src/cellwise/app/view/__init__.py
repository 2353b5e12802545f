"""View: the report and a gallery of cells, served to this machine only."""

from pathlib import Path


def serve(
    run: Path,
    *,
    port: int = 0,
    token: str | None = None,
    open_browser: bool = True,
    edit: bool = False,
) -> None:
    """Serve a run until it is stopped; see `cellwise.app.view.server`."""
    from cellwise.app.view import server

    server.serve(run, port=port, token=token, open_browser=open_browser, edit=edit)
