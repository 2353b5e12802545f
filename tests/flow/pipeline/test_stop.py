import signal

import pytest

from cellwise.flow.pipeline.stop import Stopped, StopSignals, stop_was_asked


@pytest.fixture
def handlers():
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_unwinds_and_is_remembered(handlers):
    StopSignals().install()
    assert not stop_was_asked()
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)
    assert stop_was_asked()


def test_without_our_handlers_nobody_asked(handlers):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert not stop_was_asked()
