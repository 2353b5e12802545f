"""Addresses of exports: what there is, having one made, and fetching it."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, HTTPException
from fastapi.responses import FileResponse, Response, StreamingResponse

from cellwise.app.view.data.opened import has_no_cells
from cellwise.app.view.exports.archive import zipped
from cellwise.app.view.exports.forms import BY_NAME, FORMS, Form, place_of
from cellwise.app.view.exports.jobs import Jobs, kept, read_only
from cellwise.app.view.guard import Editor, Visitor
from cellwise.errors import FormatError, PreflightError, UsageError
from cellwise.store.annotations.saves import judged_cells
from cellwise.store.run.folder import RunFolder

_Name = Annotated[str, Body(embed=True, max_length=100)]


def routes(run: Path, jobs: Jobs) -> APIRouter:
    """All of `/api/exports`."""
    router = APIRouter()

    @router.get("/api/exports")
    def listed(asking: Visitor) -> dict[str, Any]:
        return {
            "run": run.name,
            "role": str(asking.role),
            "read_only": read_only(run),
            "has_cells": not has_no_cells(run),
            "judged": _judged(run),
            "exports": [_row(run, jobs, form) for form in FORMS],
        }

    @router.post("/api/exports")
    def make(asking: Editor, name: _Name) -> dict[str, Any]:
        """Have an export made, in the background."""
        try:
            jobs.ask(name)
        except UsageError as error:
            raise HTTPException(422, str(error)) from error
        except PreflightError as error:
            raise HTTPException(409, str(error)) from error
        return _row(run, jobs, BY_NAME[name])

    @router.post("/api/exports/stop")
    def stop(asking: Editor, name: _Name) -> dict[str, Any]:
        """Stop one that is waited for or under way."""
        jobs.cancel(_form(name).name)
        return _row(run, jobs, BY_NAME[name])

    @router.get("/api/exports/{name}/file")
    def file(name: str) -> Response:
        form = _form(name)
        place = place_of(run, form)
        if kept(run, form) is None:
            raise HTTPException(404, "This export has not been made yet.")
        if not form.is_folder:
            return FileResponse(
                place, media_type="application/octet-stream", filename=f"{run.stem}-{place.name}"
            )
        named = quote(f"{run.stem}-{place.name}.zip")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{named}"}
        return StreamingResponse(zipped(place), media_type="application/zip", headers=headers)

    return router


def _judged(run: Path) -> int:
    try:
        return judged_cells(RunFolder(run))
    except FormatError:
        # The label desk names what is torn.
        return 0


def _form(name: str) -> Form:
    # Names are looked up, never joined to a path.
    if name not in BY_NAME:
        raise HTTPException(404, "There is no such export.")
    return BY_NAME[name]


def _row(run: Path, jobs: Jobs, form: Form) -> dict[str, Any]:
    state, there = jobs.state(form.name), kept(run, form)
    return {
        "name": form.name,
        "place": f"exports/{form.place}",
        "opens": form.opens,
        "holds": form.holds,
        "folder": form.is_folder,
        "missing": form.missing(RunFolder(run)),
        "state": None
        if state is None
        else {
            "step": state.step,
            "done": state.done,
            "total": state.total,
            "words": state.words,
            "lost": [{"site": site, "why": why} for site, why in state.lost],
            "n_lost": state.n_lost,
        },
        "kept": None
        if there is None
        else {"when": there.when, "size": there.size, "older": there.older},
    }
