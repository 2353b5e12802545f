"""Memory that one batch or field frees is kept for the next, not given back to the system.

Every batch asks for the same few hundred megabytes again. By default the C library gives large
pieces back as soon as they are free, and the system clears each page before it hands it out anew:
an eighth to a sixth of the time of a small training.
"""

import ctypes
import sys
from contextlib import suppress

# Numbers of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The largest that glibc accepts; pieces above it still go back at once.
_PIECE = 32 * 2**20
_NEVER = 2**31 - 1


def give_back_freed_memory() -> None:
    """Give the system back what is free now, after work that needed far more than what follows."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def give_back_large_pieces() -> bool:
    """Have pieces above a megabyte go back as soon as they are free; whether it was understood.

    For a process of many threads that each ask for large pieces now and then: what each of them
    keeps adds up. Linux with glibc only, as below.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 2**20))


def keep_freed_memory() -> bool:
    """Tell the C library so, for the rest of this process; whether it understood.

    The process stays as large as it was at its largest.

    Other systems than Linux with glibc are left as they are: nothing but time depends on it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _PIECE)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
