"""Pages done block by block, as a reader does them; CONTRIBUTING.md says how a page is written.

`python -m tests.docs.tutorial_pages PAGE` does one page and prints what came of each block.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from tests.docs.shown_output import difference

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
# Why a block may not be done here. `tests/docs/test_tutorials.py` lists the blocks.
REASONS = {
    "network": "it takes something from a network",
    "cluster": "it hands jobs to a batch system, or needs further machines",
}
PATIENCE = 1800.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/[^\s,]*")
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
NAMED = re.compile(r"`([^`\n]+)`(?:, [^:`]+)?:")


class WrongPage(AssertionError):
    """A page that is not written as pages are, or that shows what does not come."""


@dataclass(frozen=True)
class Block:
    """A block: `kind` is commands, program, file or output; `line` is that of its first words."""

    kind: str
    text: str
    line: int
    name: str = ""
    not_run: str = ""


def blocks(text):
    """All blocks of a page in order; one of no known kind is refused."""
    found, before = [], ""
    for token in MarkdownIt().parse(text):
        if token.type == "fence":
            found.append(_block(token, before, found))
        if token.type in ("fence", "inline", "html_block"):
            before = token.content.strip()
    return found


def _block(token, before, found):
    line, language = token.map[0] + 2, token.info.strip()
    why, name = NOT_RUN.fullmatch(before), NAMED.search(before.splitlines()[-1] if before else "")
    if why and why[1] not in REASONS:
        raise WrongPage(f"line {line}: not run for {why[1]!r}, which is none of {[*REASONS]}")
    if name and name.end() == len(before.splitlines()[-1]):
        return Block("file", token.content, line, name=name[1])
    kinds = {"": "commands", "python": "program", "text": "output"}
    if language not in kinds:
        raise WrongPage(f"line {line}: a block of {language!r} without the name of its file")
    kind = kinds[language]
    if kind == "output" and (not found or found[-1].kind not in ("commands", "program")):
        raise WrongPage(f"line {line}: an output that follows no command")
    return Block(kind, token.content, line, not_run=why[1] if why else "")


def do(page, home, monkeypatch, tell=None):
    """Everything that the page asks for, in the folder `home`; what it shows must come out.

    With `tell`, every block and what came of it is told, and outputs that differ are no fault.
    """
    monkeypatch.chdir(home)
    shutil.copytree(ROOT / "examples", home / "examples")
    reader = _Reader(home, monkeypatch)
    said, silent = "", False
    for block in blocks(page.read_text(encoding="utf-8")):
        place = f"{page.name}, line {block.line}"
        if block.kind == "output":
            fault = "" if silent else difference(block.text, said)
            if fault and tell:
                tell(f"--- {place}: {fault.splitlines()[0]}")
            elif fault:
                raise WrongPage(f"{place}: {fault}")
        elif block.kind == "file":
            _write(home, block, place)
        else:
            silent = bool(block.not_run)
            began = time.monotonic()
            said = "" if silent else getattr(reader, block.kind)(block.text, place)
            if tell:
                tell(f"--- {place}: {time.monotonic() - began:.1f} s\n{block.text}\n{said}")


def _write(home, block, place):
    """A file of the page; one of `examples/` has to be that of the repository."""
    path = home / block.name
    if block.name.startswith("examples/"):
        kept = (ROOT / block.name).read_text(encoding="utf-8")
        if fault := difference(block.text, kept):
            raise WrongPage(f"{place}: not as in {block.name}: {fault}")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


class _Reader:
    """Somebody at a terminal in a folder, with this Python and one session of it."""

    def __init__(self, home, monkeypatch):
        self.names = {"__name__": "__main__"}
        bin_, self.site = home / ".bin", home / ".site"
        bin_.mkdir()
        self.site.mkdir()
        # `pip install` goes into a folder of the test, without a network.
        pip = f"--quiet --no-index --no-deps --no-build-isolation --target {self.site}"
        for name, words in (
            ("cellwise", "-m cellwise"),
            ("python", ""),
            ("pytest", "-m pytest -p no:cacheprovider"),
            ("pip", "-m pip --disable-pip-version-check"),
        ):
            more = f'"$@" {pip}' if name == "pip" else '"$@"'
            path = bin_ / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} {more}\n')
            path.chmod(0o755)
        folders = [str(self.site), *filter(None, sys.path)]
        monkeypatch.syspath_prepend(str(self.site))
        self.env = {
            **os.environ,
            "PATH": os.pathsep.join([str(bin_), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(folders),
            "BROWSER": "true",
            "COLUMNS": "100",
        }

    def commands(self, text, place):
        """The lines in one shell; a view is looked at and left."""
        if text.startswith("cellwise view"):
            return self._look(text, place)
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise WrongPage(f"{place}: exit code {done.returncode}:\n{done.stdout[-4000:]}")
        return done.stdout

    def _look(self, text, place):
        """The page of a server, which is asked for once; the server is then interrupted."""
        log = Path("view.log").resolve()
        with log.open("w") as sink:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {text}"], env=self.env, stdout=sink, stderr=sink
            )
        try:
            end = time.monotonic() + PATIENCE
            while not (address := ADDRESS.search(log.read_text())):
                if server.poll() is not None or time.monotonic() > end:
                    raise WrongPage(f"{place}: no page is served:\n{log.read_text()}")
                time.sleep(0.05)
            # A browser keeps the cookie that the address is exchanged for.
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(address[0], timeout=PATIENCE) as answer:
                if b"<html" not in answer.read():
                    raise WrongPage(f"{place}: {address[0]} is no page")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
        said = log.read_text()
        log.unlink()
        return said

    def program(self, text, place):
        """Lines of Python, in the session of the page."""
        said = io.StringIO()
        with redirect_stdout(said):
            exec(compile(text, place, "exec"), self.names)
        return said.getvalue()


def main(path):
    """Do a page in a folder that is thrown away, and print each block with what came of it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
        do(Path(path).resolve(), Path(home), patch, tell=print)


if __name__ == "__main__":
    main(sys.argv[1])
