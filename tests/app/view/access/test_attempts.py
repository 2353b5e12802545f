"""How often a password may be tried."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.app.view.access.attempts import IN_ALL, OF_ONE, WITHIN, Attempts


class Clock:
    def __init__(self):
        self.now = 10.0

    def __call__(self):
        return self.now


def test_one_address_has_a_few_and_then_waits():
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(OF_ONE):
        assert attempts.wait("10.0.0.5") == 0
        clock.now += 1
    assert attempts.wait("10.0.0.5") == WITHIN - OF_ONE
    assert attempts.wait("10.0.0.6") == 0
    clock.now += WITHIN - OF_ONE
    assert attempts.wait("10.0.0.5") == 0
    assert attempts.wait("10.0.0.5") > 0


def test_a_right_password_takes_back_itself_and_nothing_else():
    """Else who knows the password of viewers could guess at that of editors without end."""
    attempts = Attempts(Clock())
    for _ in range(OF_ONE - 1):
        attempts.wait("10.0.0.5")
    for _ in range(20):
        assert attempts.wait("10.0.0.5") == 0
        attempts.was_right("10.0.0.5")
    assert attempts.wait("10.0.0.5") == 0
    assert attempts.wait("10.0.0.5") > 0


def test_many_addresses_together_are_limited():
    attempts = Attempts(Clock())
    tries = [attempts.wait(f"10.0.{n // 200}.{n % 200}") for n in range(IN_ALL + 5)]
    assert [wait > 0 for wait in tries] == [False] * IN_ALL + [True] * 5


def test_addresses_of_one_network_of_ipv6_count_as_one():
    attempts = Attempts(Clock())
    tries = [attempts.wait(f"2001:db8::{n:x}") for n in range(OF_ONE + 1)]
    assert [wait > 0 for wait in tries] == [False] * OF_ONE + [True]
    assert attempts.wait("2001:db8:0:1::1") == 0
    for _ in range(OF_ONE):
        attempts.wait("::ffff:10.0.0.9")
    assert attempts.wait("10.0.0.9") > 0


steps = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=120
)


@settings(max_examples=60)
@given(steps)
def test_no_window_of_time_ever_holds_more(taken):
    clock = Clock()
    attempts = Attempts(clock)
    allowed = defaultdict(list)
    for seconds, address in taken:
        clock.now += seconds
        if attempts.wait(address) == 0:
            allowed[address].append(clock.now)
    for times in allowed.values():
        for first, sixth in zip(times, times[OF_ONE:], strict=False):
            assert sixth - first >= WITHIN
