"""Addresses of the visitor: who they are, and what they may do."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, HTTPException
from fastapi.responses import JSONResponse

from cellwise.app.view.access.sessions import LONGEST_NAME, Session, name_of_person
from cellwise.app.view.guard import NAME_COOKIE, Access, Visitor

_YEAR = 365 * 24 * 3600
_Name = Annotated[str, Body(embed=True, max_length=4 * LONGEST_NAME)]


def routes(access: Access) -> APIRouter:
    """All of `/api/session`."""
    router = APIRouter()

    @router.get("/api/session")
    def session(asking: Visitor) -> dict[str, Any]:
        return _told(access, asking)

    @router.post("/api/session")
    def name(asking: Visitor, who: _Name) -> JSONResponse:
        """Take the name that verdicts of this visitor are to carry; the browser keeps it."""
        if access.passwords is not None and asking.who:
            raise HTTPException(409, "Your name is that of your login. Log out to change it.")
        known = name_of_person(who)
        if not known:
            raise HTTPException(422, "Give a name of at least one letter.")
        asking.who = known
        response = JSONResponse(_told(access, asking))
        # Cookies hold ASCII alone.
        response.set_cookie(
            NAME_COOKIE, quote(known), max_age=_YEAR, httponly=True, samesite="lax",
            path="/", secure=access.https,
        )  # fmt: skip
        return response

    @router.post("/api/session/end")
    def end(asking: Visitor) -> JSONResponse:
        """Log out."""
        access.sessions.close(asking.key)
        response = JSONResponse({})
        response.delete_cookie(
            access.cookie, httponly=True, samesite="lax", path="/", secure=access.https
        )
        return response

    return router


def _told(access: Access, session: Session) -> dict[str, Any]:
    return {
        "who": session.who,
        "role": str(session.role),
        "csrf": session.csrf,
        "login": access.passwords is not None,
    }
