"""Fixtures that every test folder may use."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Tests stand side by side, one to a core: threads of one would wait for those of the other. Set
# before any library asks, and for the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts the tests in the background has them ignore interrupts, and so would the
# programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that does other work too must not fail a test: examples are bounded, not timed. They are
# the same on every run, so that a change is judged by what it changed; HYPOTHESIS_PROFILE=search
# draws new ones.
settings.register_profile("cellwise", deadline=None, max_examples=40, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=40)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "cellwise"))

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk():
    """No test pulls the plug, so that none needs its files on the disk; a closed one fails."""

    def at_once(handle):
        os.fstat(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", at_once)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real image sets that lie beside a developer's checkout; users do not have them."""
    if not _SHARED.is_dir():
        pytest.skip("the real image sets (../shared/data) are not here")
    return _SHARED
