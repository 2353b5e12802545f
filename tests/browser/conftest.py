"""A real Chromium, where there is one."""

import asyncio
import importlib.util
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SUMS = """(selector) => {
  const image = document.querySelector(selector), canvas = document.createElement("canvas");
  if (!image.complete || !image.naturalWidth) return [0, 0, 0];
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height), sums = [0, 0, 0];
  for (let at = 0; at < data.length; at += 4) {
    for (const part of [0, 1, 2]) sums[part] += data[at + part];
  }
  return sums;
}"""
"""The sums of red, green and blue over an image, as the browser decodes it; 0 until then."""
DELAY = float(os.environ.get("CELLWISE_TEST_DELAY", "0"))
"""How long the API's answers wait at most, in seconds."""
_WRITER = Path(__file__).parents[1] / "stages" / "report" / "conftest.py"


def until(page, look, check, seconds=15):
    """Look until it fits: what is drawn comes a moment after what was asked for."""
    end = time.monotonic() + seconds
    while not check(found := look(page)):
        assert time.monotonic() < end, found
        page.wait_for_timeout(50)
    return found


def can_judge(page):
    """Wait until the active cell of the gallery is there with its image."""
    page.locator("#gallery[aria-busy=false]").wait_for(timeout=15_000)


def writer() -> ModuleType:
    """The module that writes run folders for the report's tests."""
    spec = importlib.util.spec_from_file_location("report_runs", _WRITER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not installed")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no browser driver: playwright is not installed"
    )
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


class Visit:
    """A page with all that it complained about and asked for."""

    def __init__(self, page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, message) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)


class Held:
    """Requests of a page that wait until a test lets them go on.

    Args:
        page: The page.
        address: Which requests, as `Page.route` takes it.
    """

    def __init__(self, page, address) -> None:
        self.page, self.held = page, True
        self.waiting: list = []
        page.route(address, self._take)

    def _take(self, route) -> None:
        if self.held:
            self.waiting.append(route)
        else:
            route.continue_()

    def wait(self, count: int = 1) -> None:
        """Wait until so many requests are held."""
        for _ in range(500):
            if len(self.waiting) >= count:
                return
            self.page.wait_for_timeout(10)
        raise AssertionError([one.request.url for one in self.waiting])

    def go(self, place: int = 0, **answer) -> None:
        """Let one go on to the server, or answer it."""
        route = self.waiting.pop(place)
        route.fulfill(**answer) if answer else route.continue_()

    def free(self) -> None:
        """Let all go on, those that come later too; the page has these answers then."""
        self.held = False
        requests = [route.request for route in self.waiting]
        while self.waiting:
            self.go()
        for request in requests:
            answer = request.response()
            if answer is not None:
                answer.finished()
        self.page.wait_for_timeout(100)


@pytest.fixture
def visit(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page())
    context.close()


@pytest.fixture(scope="session")
def report_run(tmp_path_factory):
    made = writer().write_run(tmp_path_factory.mktemp("browser"))
    made.html(negative_control="blind")
    reading = made.run / "reading.json"
    content = json.loads(reading.read_text()) | {"images": str(made.images)}
    reading.write_text(json.dumps(content))
    return made


def late(app, most: float):
    """The same server, each answer of whose API waits a random time of at most `most` seconds.

    Answers overtake each other and clicks come before them, as on a slow machine."""
    chance = random.Random(most)

    async def answer(scope, receive, send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            await asyncio.sleep(chance.uniform(0, most))
        await app(scope, receive, send)

    return answer


@contextmanager
def served(run: Path, *, edit: bool = False) -> Iterator[str]:
    """The address of a server that shows a run, as `cellwise view` starts it."""
    import uvicorn

    from cellwise.app.view.guard import Access
    from cellwise.app.view.listening import Listening
    from cellwise.app.view.server import make_app

    listener = Listening().open()
    app = make_app(run, Access("secret", edit=edit))
    config = uvicorn.Config(late(app, DELAY) if DELAY else app, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()


@pytest.fixture(scope="session")
def address(report_run):
    """The address of the small run."""
    with served(report_run.run) as found:
        yield found


@pytest.fixture
def odd_visit(visit, tmp_path):
    """A visit to a run whose classes have names that no page expects."""
    names = (
        "<img src=x onerror=alert(1)>",
        "say \"no\" & 'yes'",
        "غشاء البلازما",
        "x" * 300,
        "Negative",
    )
    made = writer().write_run(tmp_path, classes=names)
    with served(made.run) as address:
        visit.page.goto(f"{address}/cells?token=secret")
        yield visit
