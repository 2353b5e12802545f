"""A plain classifier finds the siRNAs of a small world, and worse in a batch it has not seen."""

import importlib.util
import sys
from pathlib import Path

import pytest

from cellwise.lab.synth.rxrx1.design import make_design
from cellwise.lab.synth.rxrx1.effects import make_effects
from cellwise.lab.synth.rxrx1.severity import SEVERITIES

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "simulator_acceptance_rxrx1.py"


@pytest.fixture(scope="module")
def acceptance():
    """The acceptance script as a module: its features and its classifier are used here."""
    spec = importlib.util.spec_from_file_location("simulator_acceptance_rxrx1", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def drawn(acceptance):
    """256 sites: 32 treatments in four experiments, one of them odd."""
    design = make_design(1, classes=32, experiments=4)
    effects = make_effects(design, SEVERITIES["easy"])
    return design, acceptance.sample(effects, size=96, workers=1)


@pytest.mark.long
def test_recognition_is_far_above_chance_and_worse_across_batches(acceptance, drawn):
    design, sites = drawn
    hits = {name: found.mean() for name, found in acceptance.recognition(sites, design).items()}
    chance = 1 / 32
    assert hits["across"] > 5 * chance
    assert hits["within"] > hits["across"] + 0.2
    assert hits["across"] > hits["across raw"]
    assert hits["group known"] >= hits["across"]
    assert acceptance.place_alone(sites) < 5 * chance


@pytest.mark.long
def test_an_odd_experiment_shows_in_its_light(acceptance, drawn):
    (check,) = acceptance.odd_checks(drawn[1])
    assert check.passed


@pytest.mark.long
def test_plates_differ_more_than_treatments(acceptance):
    design = make_design(2, classes=32, experiments=3, aberrant="none")
    effects = make_effects(design, SEVERITIES["default"])
    plates, treatments = acceptance.spreads(acceptance.sample(effects, size=64, workers=1))
    assert plates > 1.2 * treatments


def test_the_design_of_a_full_world_is_accepted(acceptance):
    checks = acceptance.design_checks(7, "default")
    assert [check.name for check in checks if not check.passed] == []


def test_a_check_can_fail(acceptance):
    assert not acceptance.Check("x", 0.9, 1.0, 2.0, 1).passed
