"""Threads are what a step says while it works, and what they were afterwards."""

import numpy as np
import torch
from threadpoolctl import threadpool_info

from cellwise.parts.threads import threads_of


def blas():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_threads_are_set_and_come_back():
    before = torch.get_num_threads(), blas()
    with threads_of(1):
        assert torch.get_num_threads() == 1
        assert blas() == {1}
    assert (torch.get_num_threads(), blas()) == before
