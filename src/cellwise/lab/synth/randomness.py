"""One stream of random numbers per thing drawn, so that order and number of workers never matter.

Source: O'Neill 2014, HMC-CS-2014-0905 (PCG); its DXSM variant is numpy's choice for many streams.
"""

import hashlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The stream that belongs to these names under this seed, the same on every machine.

    Names say what is drawn, from the large to the small: `generator(1, "field", 7, "cell", 3)`.
    Different names give independent streams; a number and its text are different names.
    """
    words = [f"{type(name).__name__}:{name!r}" for name in (int(seed), *names)]
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    return np.random.Generator(np.random.PCG64DXSM(int.from_bytes(digest[:16], "little")))
