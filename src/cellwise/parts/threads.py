"""As many processor threads as a step says: sums in another order round differently."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    """This many threads of torch and of the linear algebra of numpy, then as before."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count)
        with threadpool_limits(count, "blas"):
            yield
    finally:
        torch.set_num_threads(before)
