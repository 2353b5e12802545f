"""Put on the path of a process: while the file of `CELLWISE_SLOW_RENAMES` is there, renames wait.

A network disk under load does the same: what was renamed is there, a while later.
"""

import os
import random
import time
from pathlib import Path

_flag = os.environ.get("CELLWISE_SLOW_RENAMES", "")


def _slow(function):
    def later(*arguments, **options):
        if _flag and Path(_flag).exists():
            time.sleep(random.uniform(0.02, 0.4))
        return function(*arguments, **options)

    return later


os.rename, os.replace = _slow(os.rename), _slow(os.replace)
