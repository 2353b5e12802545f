"""Addresses of the label desk: what was said, saves, taking back, tables in and out, the draw."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from cellwise.app.view.desk.desk import Desk
from cellwise.app.view.desk.exchange import backup, bring, draw, table
from cellwise.app.view.desk.seen import said_of_cells, said_of_class, said_of_row
from cellwise.app.view.desk.verdicts import said_of_cell, said_of_classes
from cellwise.app.view.guard import Editor, Visitor
from cellwise.errors import FormatError, PreflightError, StorageError, UsageError

T = TypeVar("T")


_Name = Annotated[str, Field(max_length=40)]
_Text = Annotated[str, Field(max_length=2000)]
_Row = Annotated[int, Field(strict=True, ge=0, le=100_000_000)]
# Base64 of a table of verdicts: some millions of them.
_LARGEST = 100_000_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SaveBody(_Body):
    """Verdicts on some cells: of single classes, of all at once, or unsure of all.

    `rest` refuses all classes of which the visitor has said nothing yet.
    """

    id: _Name
    rows: Annotated[list[_Row], Field(min_length=1, max_length=100_000)]
    cells: _Name
    said: dict[_Text, _Name] | None = None
    shows: Annotated[list[_Text], Field(max_length=2000)] | None = None
    unsure: bool = False
    rest: bool = False
    queue: _Name = ""
    of: _Text = ""


class UndoBody(_Body):
    """A save that takes another one back."""

    id: _Name
    save: _Name


class BringBody(_Body):
    """A table of verdicts."""

    title: _Text
    content: Annotated[str, Field(max_length=_LARGEST)]
    coded: bool = False


class DrawBody(_Body):
    """How many cells chance draws."""

    count: Annotated[int, Field(ge=1, le=100_000)]


def answered(make: Callable[[], T]) -> T:
    """What `make` gives; what keeps it from being done is an answer with its words.

    422 for what cannot be asked, 409 for what the run does not allow now, 507 for a disk that does
    not take it: a page keeps what it wanted to save and says so.
    """
    try:
        return make()
    except StorageError as error:
        raise HTTPException(507, f"Nothing was saved. {error.args[-1]}") from error
    except UsageError as error:
        raise HTTPException(422, str(error)) from error
    except (PreflightError, FormatError) as error:
        raise HTTPException(409, str(error)) from error


def routes(desk: Desk) -> APIRouter:
    """All of `/api/desk`; what changes anything is for editors."""
    router = APIRouter()
    _looks(router, desk)
    _changes(router, desk)
    return router


def _looks(router: APIRouter, desk: Desk) -> None:
    @router.get("/api/desk")
    def state(asking: Visitor) -> dict[str, Any]:
        return desk.state(asking.who)

    @router.get("/api/desk/said")
    def said(
        asking: Visitor,
        name: Annotated[str, Query(alias="class", max_length=2000)] = "",
        whole: str = "",
    ) -> dict[str, Any]:
        opened = desk.opened
        if whole:
            return said_of_cells(opened, asking.who)
        return said_of_class(opened, name, asking.who)

    @router.get("/api/desk/cell")
    def cell(row: Annotated[int, Query(ge=0)]) -> dict[str, Any]:
        return {"said": said_of_row(desk.opened, row)}

    @router.get("/api/desk/verdicts.csv")
    def verdicts() -> Response:
        named = {"Content-Disposition": 'attachment; filename="verdicts.csv"'}
        text = answered(lambda: table(desk))
        return Response(text, media_type="text/csv; charset=utf-8", headers=named)

    @router.get("/api/desk/backup.parquet")
    def whole() -> FileResponse:
        path = answered(lambda: backup(desk))
        return FileResponse(path, filename="annotations.parquet")


def _changes(router: APIRouter, desk: Desk) -> None:
    @router.post("/api/desk/save")
    def save(body: SaveBody, asking: Editor) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            classes = desk.classes()
            if not asking.who:
                raise UsageError("Give your name first: verdicts are kept with who gave them.")
            ways = (body.said is not None, body.shows is not None, body.unsure, body.rest)
            if sum(ways) > 1:
                raise UsageError("Verdicts are given in one way: said, shows, unsure or rest.")
            if body.said is not None:
                said = said_of_classes(body.said, classes)
            elif body.shows is None and not (body.unsure or body.rest):
                raise UsageError("No verdict was given for these cells.")
            else:
                said = said_of_cell(None if body.unsure else body.shows or (), classes)
            return desk.save(
                body.id, body.rows, said, who=asking.who, cells=body.cells,
                queue=body.queue, of=body.of, rest=body.rest,
            )  # fmt: skip

        return answered(make)

    @router.post("/api/desk/undo")
    def undo(body: UndoBody, asking: Editor) -> dict[str, Any]:
        return answered(lambda: desk.undo(body.id, body.save, who=asking.who))

    @router.post("/api/desk/bring")
    def take(body: BringBody, asking: Editor) -> dict[str, Any]:
        return answered(
            lambda: bring(desk, body.title, body.content, who=asking.who, coded=body.coded)
        )

    @router.post("/api/desk/draw")
    def draw_some(body: DrawBody, _: Editor) -> dict[str, Any]:
        return {"drawn": answered(lambda: draw(desk, body.count))}
