"""Starting is quick: nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "numba",
    "pandas",
    "polars",
    "lightning",
    "anndata",
    "skimage",
    "cv2",
    "numpy",
    "dask",
    "distributed",
)


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


def test_tables_of_sites_and_cells_are_made_without_pandas():
    """Arrow imports it in ways that are easily taken by mistake, and each process would pay."""
    program = (
        "import sys\n"
        "from cellwise.domain.channels import Channel\n"
        "from cellwise.domain.records import ChannelFile, Site\n"
        "from cellwise.stages.cells._rows import frame_of_none\n"
        "from cellwise.store.run.sites import sites_to_frame\n"
        "channel = Channel('DNA', 'nucleus')\n"
        "site = Site('a', 'a', (ChannelFile(channel, ('a.png',)),), 'train', ('x', 'y'))\n"
        "assert sites_to_frame([site], {})['labels'].to_list() == [['x', 'y']]\n"
        "assert frame_of_none((channel,), crops=True).height == 0\n"
        "assert 'pandas' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
