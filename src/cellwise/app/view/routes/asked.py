"""What an address asks for: filters and order of cells, and errors as answers."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import Depends, HTTPException, Query
from fastapi.responses import Response

from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import Question
from cellwise.app.view.guard import Visitor
from cellwise.errors import PreflightError, UsageError

T = TypeVar("T")
_Choice = Literal["", "yes", "no"]
_Share = Annotated[float, Query(ge=0, le=1)]
_Text = Annotated[str, Query(max_length=2000)]
_Long = Annotated[str, Query(max_length=40_000)]


def _question(
    asking: Visitor,
    name: Annotated[str, Query(alias="class", max_length=2000)] = "",
    plate: _Text = "",
    well: _Text = "",
    site: _Text = "",
    cell: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    low: _Share = 0.0,
    high: _Share = 1.0,
    unsure: _Share = 0.0,
    sure: _Share = 1.0,
    assigned: _Choice = "",
    likeliest: _Text = "",
    disagrees: _Choice = "",
    border: _Choice = "",
    flag: _Text = "",
    who: _Text = "",
    verdict: Literal["", "yes", "no", "unsure"] = "",
    queue: _Text = "",
    whole: _Choice = "",
    until: Annotated[str, Query(max_length=40)] = "",
    chosen: _Long = "",
    within: _Long = "",
    scatter: _Text = "",
    sort: _Text = "probability",
    order: Literal["down", "up"] = "down",
) -> Question:
    # Who takes a queue follows from the request, not from the address.
    visitor = asking.who if queue else ""
    return Question(
        name, plate, well, site, cell, low, high, unsure, sure, assigned, likeliest, disagrees,
        border, flag, who, verdict, queue, whole, visitor, until, chosen, within, scatter, sort,
        order,
    )  # fmt: skip


Asked = Annotated[Question, Depends(_question)]
"""A question as a parameter of a route."""

Channels = Annotated[str | None, Query(max_length=400)]
"""Channels as `tinting.asked_channels` reads them."""


def told(make: Callable[[], T]) -> T:
    """What `make` gives; something that is not there is an answer with its words, not an error."""
    try:
        return make()
    except (UsageError, PreflightError) as error:
        raise HTTPException(422, str(error)) from error


def check_stamp(opened: Opened, stamp: str) -> None:
    """Refuse rows of another state of the run: they would name other cells."""
    if stamp and stamp != opened.stamp:
        raise HTTPException(409, "The run has changed since this page was opened. Load it again.")


def content(found: bytes | None, kind: str) -> Response:
    """An answer of bytes, 404 where there are none."""
    if found is None:
        raise HTTPException(404, "There is no such image.")
    return Response(found, media_type=kind)
