import subprocess
import sys

import pytest

from cellwise.errors import RunLocked
from cellwise.flow.pipeline.lock import locked

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom cellwise.flow.pipeline.lock import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_a_second_process_is_told_who_holds_the_run(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(RunLocked, match=f"process {holder.pid} on"):
            locked(tmp_path).__enter__()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(tmp_path):
        pass


def test_the_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            pass
