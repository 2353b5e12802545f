"""The page of a run with many cells: seconds until something is seen, frames a second, memory.

    python -m benchmarks.page [--cells 100000] [--run RUN] [--json FILE]

A run of four channels and 19 classes is written to a temporary folder (`page_run.py`), or `--run`
names one that a call with `--keep` left. `cellwise view` serves it in a process of its own, and
Chromium opens it in a window of 1,400 x 900 pixels. Times of pages count from the request until all
tiles of the screen are drawn; of filters from the request until the answer is there, each with
another value so that none is kept. Memory is what the server holds beside files that it maps. No
other program shows runs, so all ratios are 1.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.page_run import FURTHER, write_run

CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1400, 900
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/\?token=(\S+)")

# Scrolls as a hand does, a screen in half a second, and counts the frames that were drawn.
SCROLL = """async (seconds) => {
  const gallery = document.getElementById("gallery"), times = [];
  const start = performance.now();
  let before = start;
  return new Promise((done) => requestAnimationFrame(function frame(now) {
    times.push(now - before);
    gallery.scrollTop += 2 * gallery.clientHeight * (now - before) / 1000;
    before = now;
    if (now - start < 1000 * seconds) requestAnimationFrame(frame);
    else done(times.slice(1));
  }));
}"""
# The images of all cells of the screen are there: what is drawn no longer changes.
SETTLED = """() => {
  const count = document.getElementById("count").textContent;
  const names = performance.getEntriesByType("resource").map((one) => [one.name, one.responseEnd]);
  return count.includes("of") && names.some(([name, end]) => name.includes("sheet.jpg") && end > 0);
}"""

SETTLED_FIELD = 'document.getElementById("view").dataset.settled === "true"'


@dataclass(frozen=True, slots=True)
class Timing:
    """One line."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float
    least_s: float
    most_s: float
    n: int


class Served:
    """`cellwise view` in a process of its own."""

    def __init__(self, run: Path) -> None:
        source = Path(__file__).resolve().parents[1] / "src"
        surroundings = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
        call = [sys.executable, "-m", "cellwise", "view", str(run), "--no-browser"]
        start = time.perf_counter()
        self.process = subprocess.Popen(
            call, env=surroundings, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.process.stdout is not None
        match = None
        while match is None:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("The server ended before it said its address.")
            match = _ADDRESS.search(line)
        self.started = time.perf_counter() - start
        self.address, self.token = match[1], match[2]
        # The token opens a session, which a cookie then stands for.
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self.opener.open(f"{self.address}/?token={self.token}").close()
        self.peak = 0.0
        threading.Thread(target=self.watch, daemon=True).start()

    def ask(self, place: str) -> bytes:
        """The content of an address."""
        with self.opener.open(f"{self.address}{place}") as answer:
            content: bytes = answer.read()
        return content

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def watch(self) -> None:
        """Note the memory of the process until it ends; files that are mapped do not count."""
        status = Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            match = re.search(r"RssAnon:\s+(\d+)", status.read_text())
            if match is None:
                return
            self.peak = max(self.peak, int(match[1]) / 1024)
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(timeout=30)


def line(case: str, times: list[float], served: Served, cpu: float) -> Timing:
    """The median of some times, with least and most."""
    found = Timing(
        case, "cellwise", round(cpu, 3), round(statistics.median(times), 4), round(served.peak, 1),
        1.0, round(min(times), 4), round(max(times), 4), len(times),
    )  # fmt: skip
    print(
        f"| {case} | {found.wall_s:.3f} | {found.least_s:.3f} to {found.most_s:.3f} | {found.n} "
        f"| {found.cpu_s:.2f} | {found.peak_mb:.0f} |",
        flush=True,
    )
    return found


def filters(served: Served) -> Timing:
    """Filters and orders over all cells, none asked for before."""
    name = quote("pattern 3")
    asked = [
        *(f"class={name}&low=0.{n}" for n in range(1, 8)),
        *(f"class={name}&unsure=0.{n}&sort=uncertainty" for n in range(1, 8)),
        *(f"likeliest={name}&sure=0.{n}&sort=area" for n in range(1, 8)),
        *(f"disagrees=yes&plate=P{n}&order=up" for n in (1, 2, 3)),
        *(f"sort=Cells_Feature_{n}" for n in range(6)),
    ]
    before, times = served.cpu, []
    for one in asked:
        start = time.perf_counter()
        answer = json.loads(served.ask(f"/api/cells?{one}&count=240&size=60"))
        times.append(time.perf_counter() - start)
        assert answer["total"] > 0, one
    return line("a filter or an order", times, served, (served.cpu - before) / len(asked))


def wait(page: Any, look: str, least: float = 60) -> float:
    """Milliseconds of the page's clock when a look was true."""
    end = time.perf_counter() + least
    while time.perf_counter() < end:
        if page.evaluate(look):
            return float(page.evaluate("performance.now()"))
        page.wait_for_timeout(5)
    raise SystemExit(f"Nothing was seen within {least} seconds.")


def first_screen(browser: Any, served: Served, repeats: int) -> Timing:
    """From the request of the page until the last sheet of the first screen has arrived."""
    before, times = served.cpu, []
    for number in range(repeats):
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        # Another class each time: neither order nor sheets are kept from the last one.
        name = quote(f"pattern {number + 1}")
        page.goto(f"{served.address}/cells?token={served.token}&size=60&class={name}")
        times.append(wait(page, SETTLED) / 1000)
        page.close()
    return line("first screen of cells", times, served, (served.cpu - before) / repeats)


def scrolling(browser: Any, served: Served, seconds: int) -> tuple[Timing, float]:
    """Frames while 60 px images are scrolled, two screens a second; and frames a second."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(f"{served.address}/cells?token={served.token}&size=60&sort=uncertainty")
    wait(page, SETTLED)
    before = served.cpu
    times = [ms / 1000 for ms in page.evaluate(SCROLL, seconds)]
    page.close()
    rate = len(times) / sum(times)
    print(
        f"frames a second while scrolling: {rate:.1f}; 95 % of frames within "
        f"{1000 * sorted(times)[int(0.95 * len(times))]:.0f} ms"
    )
    return line("a frame while scrolling", times, served, served.cpu - before), rate


def fields(browser: Any, served: Served, repeats: int) -> list[Timing]:
    """From the request until tiles and outlines are drawn.

    The first field that a server shows also takes the contrast of the run, from four fields.
    """
    small, large = "field of 2,048 px, 300 outlines", "field of 6,000 px, 300 outlines"
    further = [f"P1_A{number:02d}" for number in range(3, 3 + FURTHER)]
    cases = [
        (f"{small}, the first of the server", ["P1_A01"]),
        (f"{small}, not decoded yet", further[: FURTHER // 2]),
        (f"{small}, again", ["P1_A01"] * repeats),
        (f"{large}, not decoded yet", ["P1_A02"]),
        (f"{large}, again", ["P1_A02"] * repeats),
    ]
    found = [_fields(browser, served, case, sites) for case, sites in cases]
    return [*found, _walk(browser, served, further[FURTHER // 2 - 1 :], small)]


def _fields(browser: Any, served: Served, case: str, sites: list[str]) -> Timing:
    before, times = served.cpu, []
    for site in sites:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(f"{served.address}/field?token={served.token}&site={site}")
        times.append(wait(page, SETTLED_FIELD) / 1000)
        page.close()
    return line(case, times, served, (served.cpu - before) / len(sites))


def _walk(browser: Any, served: Served, sites: list[str], case: str) -> Timing:
    """From an arrow key until the next field is drawn, none of them decoded yet."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(f"{served.address}/field?token={served.token}&site={sites[0]}")
    wait(page, SETTLED_FIELD)
    before, times = served.cpu, []
    for site in sites[1:]:
        start = page.evaluate("performance.now()")
        page.keyboard.press("ArrowRight")
        there = f'{SETTLED_FIELD} && document.getElementById("title").textContent === "{site}"'
        times.append((wait(page, there) - start) / 1000)
    page.close()
    spent = (served.cpu - before) / len(times)
    return line(f"{case}, by the arrow key, not decoded yet", times, served, spent)


def measure(run: Path, repeats: int) -> list[Timing]:
    """All lines."""
    from playwright.sync_api import sync_playwright

    served = Served(run)
    try:
        served.ask("/api/run")
        found = [line("start of the server", [served.started], served, served.cpu)]
        found.append(filters(served))
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            found.append(first_screen(browser, served, repeats))
            found.append(scrolling(browser, served, 5)[0])
            found += fields(browser, served, repeats)
            browser.close()
    finally:
        served.stop()
    return found


def main() -> None:
    """Measure and print one line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--keep", type=Path, help="write the run to this folder and keep it")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print("| what | wall s | least to most | n | CPU s of the server | its peak MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        run = asked.run or write_run(asked.keep or Path(folder), asked.cells)
        lines = measure(run, asked.repeats)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in lines], indent=1), "utf-8")


if __name__ == "__main__":
    main()
