"""Addresses of learning again: start, stop, how far it is, what changed."""

import shlex
from typing import Any

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from cellwise.app.view.guard import Editor, Visitor
from cellwise.app.view.learning.compare import before_and_after, end, keep_before
from cellwise.app.view.learning.process import Learning
from cellwise.app.view.routes.desk import answered
from cellwise.app.view.shown import Shown
from cellwise.errors import PreflightError
from cellwise.store.annotations.saves import merge

# Rows in one answer; an address can ask for no more.
_MOST = 5000


class StartBody(BaseModel):
    """All that a browser may say of learning."""

    model_config = ConfigDict(extra="forbid")
    random_teaches: bool = False
    audited: bool | None = None


def routes(learning: Learning, shown: Shown) -> APIRouter:
    """All of `/api/learn`."""
    router = APIRouter()

    @router.get("/api/learn")
    def state(_: Visitor) -> dict[str, Any]:
        command = shlex.join(["cellwise", *learning.words()])
        return {**learning.state(), "command": command, "audits": learning.audits()}

    @router.post("/api/learn/start")
    def start(body: StartBody, asking: Editor) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            opened = shown.now().opened
            said = opened.said.now()
            if not len(said.rows):
                raise PreflightError("Nobody has judged a cell yet: there is nothing to learn.")
            if learning.is_running:
                raise PreflightError("The run is learning already.")
            keep_before(
                opened.run, who=asking.who, when=_text(said.rows["when"].max()),
                verdicts=len(said.rows), random_teaches=body.random_teaches,
            )  # fmt: skip
            merge(opened.run)
            learning.start(asking.who, random_teaches=body.random_teaches, audited=body.audited)
            return learning.state()

        return answered(make)

    @router.post("/api/learn/stop")
    def stop(_: Editor) -> dict[str, Any]:
        learning.stop()
        return learning.state()

    @router.get("/api/learn/change")
    def change(_: Visitor) -> dict[str, Any]:
        opened = shown.now().opened
        if learning.state()["state"] == "done":
            answered(lambda: end(opened.run))
        found = answered(lambda: before_and_after(opened.run))
        if found is None:
            return {"change": None}
        rows = [opened.cells.row_of(*place) for place in found.pop("changed")]
        there = np.sort(np.array([row for row in rows if row is not None], np.int64))
        return {
            "change": {**found, "changed": len(rows), "rows": there[:_MOST].tolist()},
        }

    return router


def _text(last: object) -> str:
    """The time of the last verdict that is learned from; empty where it is not known."""
    return last if isinstance(last, str) else ""
