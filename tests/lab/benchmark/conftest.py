"""One tiny ladder, climbed once and shared."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.lab.benchmark.tiny_world import make_world, write_rows

from cellwise.lab.benchmark.run import BenchmarkRequest, run_benchmark


@dataclass(frozen=True)
class Climbed:
    home: Path
    request: BenchmarkRequest
    result: Any

    @property
    def out(self):
        return self.request.out

    def into(self, out, **changes):
        """The same ladder into another folder."""
        return replace(self.request, out=out, **changes)


@pytest.fixture(scope="session")
def climbed(tmp_path_factory):
    home = tmp_path_factory.mktemp("ladder")
    make_world(home / "world")
    request = BenchmarkRequest(home / "out", str(write_rows(home)))
    return Climbed(home, request, run_benchmark(request))
