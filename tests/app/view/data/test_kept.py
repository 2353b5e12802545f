"""What is kept, and what is let go of."""

import threading

import pytest

from cellwise.app.view.data.kept import Kept


def test_the_one_asked_for_longest_ago_leaves_first():
    kept = Kept(3)
    for key in "abc":
        kept.put(key, key.upper())
    assert kept.get("a") == "A"
    kept.put("d", "D")
    assert [kept.get(key) for key in "abcd"] == ["A", None, "C", "D"]


def test_sizes_are_summed_and_a_result_too_large_for_all_is_still_given():
    kept = Kept(10, len)
    kept.put("a", "x" * 6)
    kept.put("b", "y" * 6)
    assert kept.get("a") is None
    assert kept.give("c", lambda: "z" * 50) == "z" * 50
    assert len(kept) == 1


def test_a_result_written_again_counts_once():
    kept = Kept(10, len)
    for _ in range(5):
        kept.put("a", "x" * 6)
    kept.put("b", "y" * 4)
    assert kept.get("a") == "x" * 6


def test_two_who_ask_at_once_wait_for_one_calculation():
    kept, calls, inside = Kept(3), [], threading.Event()

    def make():
        calls.append(1)
        inside.set()
        return "made"

    threads = [threading.Thread(target=lambda: kept.give("k", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert (len(calls), kept.get("k")) == (1, "made")


def test_an_error_is_passed_on_and_not_kept():
    kept = Kept(3)

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        kept.give("k", fail)
    assert kept.give("k", lambda: 4) == 4
