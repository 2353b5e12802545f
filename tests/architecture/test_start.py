"""Starting is quick: nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "pandas", "polars", "lightning", "anndata", "skimage", "cv2", "numpy")


@pytest.mark.parametrize("words", [[], ["run", "--help"], ["recipes"], ["parts"], ["--version"]])
def test_the_command_starts_without_heavy_imports(words):
    program = (
        "import sys\n"
        f"sys.argv = ['cellwise', *{words!r}]\n"
        "from cellwise.app.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_window_imports_nothing_heavy():
    program = f"import cellwise, sys; assert not [n for n in {HEAVY!r} if n in sys.modules]"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
