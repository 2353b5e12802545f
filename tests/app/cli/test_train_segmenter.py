"""`cellwise train-segmenter` at the command line: refusals, and a start without heavy imports."""

import subprocess
import sys

import pytest
from tests.faults.fault_runs import command, here
from tests.masked_images import write_pairs


@pytest.mark.parametrize(
    ("data", "out", "code", "word"),
    [
        ("nowhere", "own.safetensors", 4, "no folder"),
        ("data", "own.pth", 2, ".safetensors"),
        ("one", "own.safetensors", 4, "two images"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(tmp_path, data, out, code, word):
    write_pairs(tmp_path / "data")
    write_pairs(tmp_path / "one", seeds=(0,))
    named = (tmp_path / data, "--out", tmp_path / out, "--device", "cpu")
    done = here(command("train-segmenter", *named))
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / out).exists()


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nsys.argv = ['cellwise', 'train-segmenter', '--help']\n"
        "from cellwise.app.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numba', 'cv2', 'lightning'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
