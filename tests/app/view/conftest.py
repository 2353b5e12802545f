"""A small run with predictions, and an application that shows it."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cellwise.app.view.server import make_app

TOKEN = "a-secret-for-tests"
_WRITER = Path(__file__).parents[2] / "stages" / "report" / "conftest.py"


def writer() -> ModuleType:
    """The module that writes run folders for the report's tests."""
    spec = importlib.util.spec_from_file_location("report_runs", _WRITER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_run(root: Path, **options: Any) -> Any:
    """A run that knows where its images lie."""
    made = writer().write_run(root, **options)
    reading = made.run / "reading.json"
    content = json.loads(reading.read_text()) | {"images": str(made.images)}
    reading.write_text(json.dumps(content))
    return made


@pytest.fixture(scope="session")
def shown_run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("view"))


@pytest.fixture
def own_run(shown_run, tmp_path):
    """The folder of a copy of the run, for tests that change it."""
    return Path(shutil.copytree(shown_run.run, tmp_path / "own.run"))


@pytest.fixture(scope="session")
def shown_app(shown_run):
    return make_app(shown_run.run, TOKEN)


@pytest.fixture
def client(shown_app):
    """A visitor who came with the token and now has the cookie."""
    with TestClient(shown_app, base_url="http://127.0.0.1") as visitor:
        assert visitor.get(f"/cells?token={TOKEN}").status_code == 200
        yield visitor


@pytest.fixture
def stranger(shown_app):
    with TestClient(shown_app, base_url="http://127.0.0.1") as visitor:
        yield visitor


@pytest.fixture
def plain_client(tmp_path):
    """A visitor of a run that gave no classes."""
    made = write_run(tmp_path, classes=(), labels=False)
    with TestClient(make_app(made.run, TOKEN), base_url="http://127.0.0.1") as visitor:
        visitor.get("/cells", params={"token": TOKEN})
        yield visitor
