"""Who is in, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from cellwise.app.view.access.sessions import (
    IDLE,
    LIFE,
    LONGEST_NAME,
    Role,
    Sessions,
    name_of_person,
)


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


def test_a_session_is_found_by_its_secret_alone():
    sessions = Sessions()
    ann, bea = sessions.open(Role.EDITOR, "Ann"), sessions.open(Role.VIEWER)
    assert sessions.find(ann.key) is ann
    assert sessions.find(bea.key) is bea
    assert len({ann.key, ann.csrf, bea.key, bea.csrf}) == 4
    for wrong in ("", ann.csrf, ann.key[:-1], ann.key + "A"):
        assert sessions.find(wrong) is None


def test_it_ends_after_a_time_without_a_request():
    clock = Clock()
    sessions = Sessions(clock)
    key = sessions.open(Role.VIEWER).key
    clock.now += IDLE
    assert sessions.find(key) is not None
    clock.now += IDLE + 1
    assert sessions.find(key) is None
    clock.now -= IDLE
    assert sessions.find(key) is None


def test_it_ends_after_a_week_however_busy():
    clock = Clock()
    sessions = Sessions(clock)
    key = sessions.open(Role.EDITOR).key
    began = clock.now
    while clock.now - began <= LIFE:
        assert sessions.find(key) is not None
        clock.now += IDLE
    assert sessions.find(key) is None


def test_it_ends_when_it_is_closed_and_others_go_on():
    sessions = Sessions()
    one, other = sessions.open(Role.VIEWER), sessions.open(Role.VIEWER)
    sessions.close(one.key)
    sessions.close("unknown")
    assert sessions.find(one.key) is None
    assert sessions.find(other.key) is other


def test_of_too_many_the_one_used_longest_ago_ends():
    sessions = Sessions(most=3)
    first, second, third = (sessions.open(Role.VIEWER) for _ in range(3))
    sessions.find(first.key)
    fourth = sessions.open(Role.VIEWER)
    assert len(sessions) == 3
    assert sessions.find(second.key) is None
    assert all(sessions.find(one.key) for one in (first, third, fourth))


@given(st.text(max_size=200))
def test_names_are_one_short_line(text):
    name = name_of_person(text)
    assert len(name) <= LONGEST_NAME
    assert name == name.strip()
    assert name.isprintable()
    assert name_of_person(name) == name


def test_names_keep_their_letters():
    assert name_of_person("  Ann\tLee \r\n") == "Ann Lee"
    assert name_of_person("Günther 研究") == "Günther 研究"
