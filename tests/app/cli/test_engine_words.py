"""Words of the command line that say who works on per-site steps."""

import socket

import pytest
from tests.faults.fault_runs import here, words
from tests.worlds import plate


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return plate(tmp_path_factory.mktemp("engine") / "images", 2)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--scheduler", "a:1"], "go with --engine dask"),
        (["--insecure-cluster"], "go with --engine dask"),
        (["--engine", "dask", "--insecure-cluster"], "goes with --scheduler or --cluster"),
        (["--engine", "dusk"], "No engine is called 'dusk'. Did you mean 'dask'?"),
        (["--engine", "dask", "--cluster", "gone.yaml"], "--cluster gone.yaml: No such file"),
    ],
)
def test_words_that_do_not_fit_are_refused(images, tmp_path, more, said):
    done = here(words(images, tmp_path / "out.run", *more))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "out.run").exists()


def test_no_scheduler_is_one_line_before_any_work(images, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    out = tmp_path / "out.run"
    done = here(words(images, out, "--engine", "dask", "--scheduler", address))
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"No scheduler of Dask answers at tcp://{address}" in done.stderr
    assert not (out / "sites.parquet").exists()
    assert not list(out.glob("work/.*"))
