"""A server of S3, and a cache of the test's own."""

import pytest
from tests.store.objects.conftest import bucket, s3_environment, s3_set

from cellwise.app.inputs.places import VARIABLE

__all__ = ["bucket", "s3_environment", "s3_set"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder
