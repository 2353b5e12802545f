"""The page that asks for a password: a plain form without a script."""

from html import escape
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from cellwise.app.view.access.addresses import place
from cellwise.app.view.access.sessions import LONGEST_NAME, name_of_person
from cellwise.app.view.guard import LOGIN, POLICY, Access, keep_session

_HEADERS = {
    "Content-Security-Policy": POLICY.replace("form-action 'none'", "form-action 'self'"),
    # Without it a browser would not say which page sent the form.
    "Referrer-Policy": "same-origin",
}
_MOST = 8192
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in · cellwise</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/view.css">
</head>
<body class="login">
<main>
<p class="brand">cellwise</p>
<h1>Log in</h1>
{trouble}
<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
{name}
<label>Password <input name="password" type="password" autocomplete="current-password" required
 maxlength="1000"{focus}></label>
<button type="submit">Log in</button>
</form>
<p class="hint">Whoever started this page gives you the password.</p>
</main>
</body>
</html>
"""
_NAME = """<label>Your name <input name="who" type="text" autocomplete="name" required{focus}
 maxlength="{longest}" value="{who}"></label>"""


def routes(access: Access) -> APIRouter:
    """`/login`, where passwords let people in."""
    router = APIRouter()

    @router.get(LOGIN, response_class=HTMLResponse)
    def form(request: Request) -> Response:
        return _page(access, next_place(request.query_params.get("next", "")))

    @router.post(LOGIN, response_class=HTMLResponse)
    async def enter(request: Request) -> Response:
        if int(request.headers["content-length"]) > _MOST:
            return _page(access, "/", "That was too long.", status=413)
        text = (await request.body()).decode("utf-8", "replace")
        given = {name: values[-1] for name, values in parse_qs(text, max_num_fields=10).items()}
        return await run_in_threadpool(_enter, access, request, given)

    return router


def _enter(access: Access, request: Request, given: dict[str, str]) -> Response:
    there = next_place(given.get("next", ""))
    who = name_of_person(given.get("who", ""))
    if access.edit and not who:
        return _page(access, there, "Give your name: what you judge is kept under it.", status=422)
    address = access.client(request)
    wait = access.attempts.wait(address)
    if wait > 0:
        minutes = max(1, round(wait / 60))
        words = f"There were too many wrong passwords. Try again in {minutes} min."
        page = _page(access, there, words, who=who, status=429)
        page.headers["Retry-After"] = str(int(wait) + 1)
        return page
    role = access.role_by(given.get("password", ""))
    if role is None:
        return _page(access, there, "This password is not right.", who=who, status=403)
    access.attempts.was_right(address)
    # A session that was there before the password ends: its secret may be known to others.
    access.sessions.close(request.cookies.get(access.cookie, ""))
    response = RedirectResponse(there, 303)
    keep_session(response, access, access.sessions.open(role, who))
    return response


def _page(
    access: Access, there: str, trouble: str = "", *, who: str = "", status: int = 200
) -> HTMLResponse:
    first = access.edit and not who
    name = ""
    if access.edit:
        focus = " autofocus" if first else ""
        name = _NAME.format(longest=LONGEST_NAME, who=escape(who), focus=focus)
    content = _PAGE.format(
        trouble=f'<p id="trouble" role="alert">{escape(trouble)}</p>' if trouble else "",
        next=escape(there),
        name=name,
        focus="" if first else " autofocus",
    )
    return HTMLResponse(content, status, _HEADERS)


def next_place(asked: str) -> str:
    """Where to go after the password: a place of this server, or its start."""
    try:
        parts = urlsplit(asked[:60_000])
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc or not asked.startswith("/") or parts.path == LOGIN:
        return "/"
    query = "".join(sign for sign in parts.query if sign.isprintable() and sign.isascii())
    return place(parts.path, query)
