"""What the script that times graphs takes as a case."""

import argparse

import pytest
from benchmarks.graph import cells_and_neighbours


def test_a_case_is_cells_and_neighbours():
    assert cells_and_neighbours("5000,200") == (5000, 200)
    for text in ("5000", "5000,200,3", "many,few", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="such as 5000,200"):
            cells_and_neighbours(text)
