"""What was noticed while reading: what was set aside stands in its own table and not here too."""

import pytest

from cellwise.stages.report.sections.inputs import problems


@pytest.mark.parametrize("word", ["set_aside", "quarantined"])
def test_what_was_set_aside_is_not_listed_twice(word):
    """A real site of RxRx1 that lacks two of six channels stood in both tables."""
    lost = {"path": "B02_s2_w1.png", "reason": "No file for channel w5.", "remedy": "", word: True}
    noted = {"path": ".", "reason": "2 files are not read.", "remedy": "Unpack.", word: False}
    assert [row["where"] for row in problems({"problems": [lost, noted]})] == ["the folder"]
