"""One server for all tests of the folder."""

import pytest
from tests.store.objects.servers import OTHERS, Bucket, s3_server


@pytest.fixture(scope="session")
def s3_environment():
    with s3_server() as environment:
        yield environment


@pytest.fixture
def s3_set(s3_environment, monkeypatch, tmp_path):
    """The environment of this process leads to the server, and to nothing of the person's own."""
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    return s3_environment


@pytest.fixture
def bucket(s3_set):
    return Bucket(s3_set)
