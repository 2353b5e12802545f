"""The how-to on parts from another package, done as it is written."""

import json

import pytest
from tests.docs.written_packages import HOW_TO, commands, install, write_files
from tests.docs.written_packages import do as do_with

pytestmark = pytest.mark.slow

PAGE = HOW_TO / "bring-your-own-part.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The page's files, and what an installer would make of its project file."""
    home = tmp_path_factory.mktemp("own_part")
    write_files(PAGE, home)
    install(home / "my-losses")
    return home


def do(home, *words):
    return do_with(home, home / "my-losses", *words)


def test_the_part_passes_its_own_tests_and_is_listed(home):
    installing, testing, listing = commands(PAGE, "Check it")
    assert installing.startswith("pip install")
    done = do(home, "-m", *testing.split(), "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    done = do(home, "-m", *listing.split())
    assert "asymmetric(present=0.0, absent=4.0, margin=0.05)" in done.stdout, done.stderr


def test_a_wrong_option_of_the_part_is_refused_before_any_work(home):
    text = (home / "asymmetric.yaml").read_text(encoding="utf-8")
    (home / "wrong.yaml").write_text(text.replace("absent:", "abscent:"), encoding="utf-8")
    (home / "nothing").mkdir()
    done = do(home, "-m", "cellwise", "run", "nothing", "--recipe", "wrong.yaml", "--out", "no.run")
    assert done.returncode == 2
    assert "loss 'asymmetric' has no option 'abscent'" in done.stderr
    assert not (home / "no.run").exists()


@pytest.mark.long
def test_a_recipe_trains_with_it(home):
    for line in commands(PAGE, "Name it in a recipe"):
        done = do(home, "-m", *line.split())
        assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((home / "asymmetric.run" / "run.json").read_text(encoding="utf-8"))
    assert "asymmetric" in json.dumps(run["recipe"])
    assert (home / "asymmetric.run" / "metrics.json").is_file()
