"""Each image of the documents has a command that exists; figures of README.md are recorded."""

import importlib
import json
import re
from pathlib import Path

import pytest
from benchmarks import front_page, page_images

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGE = (DOCS / "reference/images.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE, re.MULTILINE))
SCRIPT = re.compile(r"python (?:-m benchmarks\.|benchmarks/)(\w+)(?:\.py)? ?([\w-]*)(.*)")
# What a page says of sizes, times and shares, outside of the text that a script makes.
FIGURE = re.compile(
    r"\d\s?(?:GB|MB|s|min|minutes|seconds|hours|%)(?!\w)|\b(?:two|three|ten) minutes"
)


def test_every_image_has_a_row_and_no_row_is_without_an_image():
    images = {
        p.relative_to(DOCS).as_posix()
        for ending in ("png", "jpg", "svg")
        for p in DOCS.rglob(f"*.{ending}")
    }
    assert set(ROWS) == images


def test_every_image_is_shown_by_a_page():
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    shown = {
        (page.parent / target).resolve()
        for page in pages
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert {(DOCS / name).resolve() for name in ROWS} <= shown


@pytest.mark.parametrize("image", sorted(ROWS))
def test_its_command_has_a_script_that_takes_these_words(image):
    commands = [text for text in re.findall(r"`([^`]+)`", ROWS[image]) if text[:6] == "python"]
    if not commands:
        assert "learners.md#what-a-class-map-shows" in ROWS[image]
    for command in commands:
        name, first, rest = SCRIPT.fullmatch(command).groups()
        module = importlib.import_module(f"benchmarks.{name}")
        source = Path(module.__file__).read_text(encoding="utf-8")
        for option in re.findall(r"--\w+", f"{first} {rest}"):
            assert f'"{option}"' in source
        if name == "page_images" and first != "report":
            assert f"explain/images/{first}.jpg" == image
            assert first in page_images.OUTLINES


def test_figures_of_the_front_page_are_those_that_were_recorded():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    found = json.loads(front_page.RECORD.read_text(encoding="utf-8"))
    assert front_page.written(page, found) == page, "run `python -m benchmarks.front_page`"
    assert found["demos"]
    for one in found["demos"]:
        assert one["date"] in page
        assert one["commit"] in page
        assert one["device"] == "cpu"


def test_no_other_figure_stands_on_the_front_pages():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(front_page.BEGIN)
    after = rest.partition(front_page.END)[2]
    for text in (before + after, (DOCS / "index.md").read_text(encoding="utf-8")):
        prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
        assert FIGURE.findall(prose) == []
    assert FIGURE.findall("It takes 90 s, about 6 GB.") != []
