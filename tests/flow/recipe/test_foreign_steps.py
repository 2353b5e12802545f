"""Steps of other packages that cannot work are refused by name, before any work."""

import sys
import textwrap

import pytest
from tests.docs.written_packages import declare
from tests.faults.fault_runs import run
from tests.worlds import plate

from cellwise.errors import BadOption, BrokenContract, UnknownName
from cellwise.flow.recipe.kinds import kinds

HEAD = """
from cellwise.domain.nouns import CELLS, FILES, MASKS
from cellwise.domain.specs import Noun, Read, StepOptions, StepSpec

THEIRS = Noun("theirs", "theirs.txt")
"""
SPEC = 'SPEC = StepSpec(version=1, grain="table", options=StepOptions, {more})'
STEP = "def work(job, report):\n    return {}\n"
RECIPE = """
format: 1
steps:
  - read:
  - segment: watershed
"""


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install a package with a step, as the stranger wrote it."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    made = []

    def offer(kind, *, more=None, spec=None, step=STEP, package=None):
        package = package or f"their_{kind}"
        made.append(package)
        declare(tmp_path / "site", package, {"cellwise.stages": {kind: package}})
        folder = tmp_path / "site" / package
        folder.mkdir()
        text = HEAD + SPEC.format(more=more or "writes=(THEIRS,)") if spec is None else spec
        (folder / "spec.py").write_text(textwrap.dedent(text), encoding="utf-8")
        if step:
            (folder / "step.py").write_text(step, encoding="utf-8")

    yield offer
    for name in [name for name in sys.modules if name.partition(".")[0] in made]:
        del sys.modules[name]


@pytest.fixture
def attempt(tmp_path):
    """A run of a recipe with these further steps; nothing may be made."""

    def attempt(*lines, **options):
        recipe = tmp_path / "theirs.yaml"
        recipe.write_text(RECIPE + "".join(f"  - {line}\n" for line in lines), encoding="utf-8")
        plate(tmp_path / "images", 2)
        try:
            run(tmp_path / "images", tmp_path / "out.run", recipe=recipe, **options)
        finally:
            assert not (tmp_path / "out.run").exists()

    return attempt


def test_it_reads_what_no_kind_writes(offer, attempt):
    offer("odd", more='reads=(Read(Noun("ghosts", "ghosts.parquet")),), writes=(THEIRS,)')
    with pytest.raises(BadOption, match=r"'odd' reads 'ghosts', which no step of any kind writes"):
        attempt("odd:")


def test_it_reads_what_no_step_before_it_writes(offer, attempt):
    offer("odd", more="reads=(Read(CELLS),), writes=(THEIRS,)")
    with pytest.raises(BadOption, match=r"reads 'cells', and no step before it .* a 'cells' step"):
        attempt("odd:", "cells: {size: 24}")


def test_it_reads_its_own_or_a_later_table(offer, attempt):
    offer("odd", more="reads=(Read(THEIRS),), writes=(THEIRS,)")
    with pytest.raises(BadOption, match=r"no step before it writes that. Put a 'odd' step"):
        attempt("odd:")


def test_two_steps_write_one_file(offer, attempt):
    offer("odd", more='writes=(Noun("theirs", "masks"),)')
    with pytest.raises(BadOption, match=r"'segment' and 'odd' both write masks; leave one out"):
        attempt("odd:")


def test_two_steps_write_one_noun_to_two_places(offer, attempt):
    offer("odd", more='writes=(Noun("masks", "other_masks"),)')
    with pytest.raises(BadOption, match=r"'segment' and 'odd' both write 'masks', in masks and o"):
        attempt("odd:")


def test_two_steps_of_one_kind_without_a_name_in_the_place(offer, attempt):
    offer("odd")
    with pytest.raises(BadOption, match=r"'odd' and 'odd second' both write theirs.txt"):
        attempt("odd:", "odd: {as: second}")


def test_its_name_is_taken(offer, attempt):
    offer("segment")
    with pytest.raises(BadOption, match=r"offers a step of kind 'segment', a name already taken"):
        attempt()


def test_two_packages_offer_one_name(offer, attempt):
    offer("odd")
    offer("odd", package="another")
    with pytest.raises(BadOption, match=r"offers a step of kind 'odd', a name already taken"):
        attempt("odd:")


def test_it_has_no_spec(offer, attempt):
    offer("odd", spec="SPEC = 3\n")
    with pytest.raises(BadOption, match=r"their_odd.spec holds no SPEC of a step \(kind 'odd'\)"):
        attempt("odd:")


def test_its_package_is_not_there(offer, attempt, tmp_path):
    declare(tmp_path / "site", "gone", {"cellwise.stages": {"odd": "gone_for_good"}})
    with pytest.raises(BrokenContract, match=r"step 'odd' breaks its contract.*gone_for_good"):
        attempt("odd:")


def test_it_has_no_work(offer, attempt):
    offer("odd", step="")
    with pytest.raises(BrokenContract, match=r"step 'odd' breaks its contract.*their_odd.step"):
        attempt("odd:")


@pytest.mark.parametrize(
    ("grain", "function", "step"),
    [("table", "work", "x = 1\n"), ("site", "finish", "def work(sites, job):\n    return []\n")],
)
def test_it_lacks_a_function(offer, attempt, grain, function, step):
    spec = HEAD + SPEC.format(more="reads=(Read(MASKS),), writes=(THEIRS,)")
    offer("odd", spec=spec.replace('grain="table"', f'grain="{grain}"'), step=step)
    with pytest.raises(BrokenContract, match=rf"has {function}\(\). Seen: their_odd.step has none"):
        attempt("odd:")


def test_a_way_of_counting_that_is_none(offer, attempt):
    ghosts = 'Noun("masks", "masks", counts="moons")'
    offer("odd", more=f"reads=(Read({ghosts}),), writes=(THEIRS,)")
    with pytest.raises(BadOption, match=r"'odd' reads 'masks', which counts by 'moons'; there is"):
        attempt("odd:")


def test_a_step_of_sites_without_sites(offer, attempt):
    spec = HEAD + SPEC.format(more="writes=(THEIRS,)")
    step = f"{STEP}finish = work\n"
    offer("odd", spec=spec.replace('grain="table"', 'grain="site"'), step=step)
    with pytest.raises(BadOption, match=r"'odd' works site by site and reads nothing that each"):
        attempt("odd:")


def test_files_of_sites_for_a_table(offer, attempt):
    offer("odd", more="reads=(Read(FILES),), writes=(THEIRS,)")
    with pytest.raises(BadOption, match=r"'odd' reads 'files', which counts by 'files_of_site'"):
        attempt("odd:")


def test_a_kind_that_is_not_there(offer, attempt):
    offer("odd")
    assert "odd" in kinds()
    with pytest.raises(UnknownName, match=r"No step is of kind 'odf'. Did you mean 'odd'"):
        attempt("odf:")


def test_an_engine_that_is_not_there(attempt):
    with pytest.raises(UnknownName, match=r"No engine is called 'locle'. Did you mean 'local'"):
        attempt(engine="locle")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be found"),
        ("def build(:\n", "Python source"),
        ("x = 1\n", "no function 'bui"),
    ],
)
def test_a_part_that_breaks_its_contract(offer, attempt, tmp_path, content, words):
    declare(tmp_path / "site", "parts", {"cellwise.stages.segment": {"odd": "their_part"}})
    if content is not None:
        (tmp_path / "site" / "their_part.py").write_text(content, encoding="utf-8")
    with pytest.raises((BrokenContract, UnknownName), match=words):
        attempt("segment: {as: odd, name: odd}")
