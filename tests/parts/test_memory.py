"""Freed memory stays with the process: asking for it again costs no page."""

import subprocess
import sys

import pytest

from cellwise.parts.memory import keep_freed_memory

PROGRAM = """
import resource, sys, numpy as np
from cellwise.parts.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def work():
    return [np.ones(size * 2**18) for size in (1, 2, 4, 8, 8, 8)]
for _ in range(5):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="this C library cannot be told")
def test_large_pieces_are_used_again():
    # Fifty rounds of 65 MB are 800,000 pages of 4 kB.
    assert faults("kept") < 5_000 < faults("given back")


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
