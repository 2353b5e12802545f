"""A small storm in the suite; `python -m tests.scale.storms` makes one of the nightly kind."""

import os
import sys
from pathlib import Path

import pytest
from tests.scale.storms import storm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="disks are mounted as on Linux"),
    pytest.mark.skipif(
        not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may mount a disk"
    ),
]


def test_twenty_faults_lose_nothing_and_change_nothing(tmp_path):
    try:
        told = storm(Path(tmp_path), faults=20, seed=1).told
    except PermissionError as error:
        pytest.skip(str(error))
    assert told["wrong"] == []
    assert told["faults"] >= 20
    assert len(told["of_each_kind"]) >= 5
    assert told["ends"]["0"] == told["runs"] >= 1
