"""The site: every link holds, its pages ask no other host, and the search answers offline."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the extra docs is not here")

ROOT = Path(__file__).resolve().parents[2]
_LOADED = re.compile(r'<(?:script|img|iframe|link|source)[^>]*(?:src|href)="(https?://[^"]+)"')

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it: a warning is an error."""
    place = tmp_path_factory.mktemp("site") / "site"
    words = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(place)]
    around = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(words, cwd=ROOT, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def test_nothing_is_loaded_from_other_hosts(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    # The address of a page for search engines is not loaded.
    found = {url for page in pages for url in _LOADED.findall(page.read_text(encoding="utf-8"))}
    assert found == set()


def test_the_reference_holds_what_the_program_has(site):
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    for words in ("cellwise run", "--print-slurm", "cellwise audit", "interrupted"):
        assert words in commands
    recipes = (site / "reference/recipes.html").read_text(encoding="utf-8")
    for path in (ROOT / "src/cellwise/recipes").glob("*.yaml"):
        assert f'id="{path.stem}"' in recipes
    assert "open_run" in (site / "reference/python.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"), [("[gone](nowhere.md)", "nowhere.md"), ("[gone](#nothing)", "#nothing")]
)
def test_a_link_to_nothing_is_an_error(tmp_path, text, said):
    """With the settings of the site, on a page of its own."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# Start\n\n{text}\n", encoding="utf-8")
    (tmp_path / "docs/site.css").touch()
    settings = f"INHERIT: {ROOT / 'mkdocs.yml'}\nhooks: []\nplugins: []\nnav: [index.md]\n"
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    words = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "s")]
    around = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        words, cwd=tmp_path, env=around, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


@pytest.mark.browser
def test_the_search_answers_in_pages_opened_from_a_folder(site, browser):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "reference/commands.html").as_uri())
    page.locator("input[name=query]").fill("posterior")
    page.locator(".md-search-result__item").first.wait_for(state="attached", timeout=20_000)
    assert "matching" in page.locator(".md-search-result__meta").inner_text()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()
