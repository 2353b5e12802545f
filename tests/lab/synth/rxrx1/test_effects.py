"""What siRNA, cell type, experiment, plate, place and chance do, before anything is drawn."""

import numpy as np
import pytest

from cellwise.errors import UnknownName
from cellwise.lab.synth.rxrx1.design import make_design
from cellwise.lab.synth.rxrx1.effects import Camera, make_effects, place
from cellwise.lab.synth.rxrx1.morphology import CELL_TYPES, NAMES, PARAMETERS, steps_of, values
from cellwise.lab.synth.rxrx1.severity import SEVERITIES, digest, severity_named

DEFAULT = SEVERITIES["default"]
STILL = Camera((1.0,) * 6, (0.0,) * 6, (1.0,) * 6, (0.0,) * 6)


@pytest.fixture(scope="module")
def effects():
    return make_effects(make_design(3, classes=400, experiments=16), DEFAULT)


def vectors(effects, cell_type):
    return np.array([effects.of_sirna(s, cell_type) for s in range(effects.design.classes)])


def test_the_severities_are_frozen():
    """A change here is a new world: say so in `changes/`, and never after looking at a learner."""
    assert {name: digest(severity)[:16] for name, severity in SEVERITIES.items()} == {
        "easy": "229b6d518e9f8d7b",
        "default": "409ca76be49df45f",
        "hard": "b7891f25dfd1eb03",
    }
    assert severity_named("hard") is SEVERITIES["hard"]
    with pytest.raises(UnknownName, match="easy, default, hard"):
        severity_named("control")


def test_a_fifth_of_each_group_does_nothing(effects):
    for group in effects.design.groups:
        assert sum(effects.strength(s) == 0 for s in group) == 20
    idle = [s for s in range(400) if not effects.of_sirna(s, "HUVEC").any()]
    assert set(idle) == effects.without_effect
    assert len(idle) == 80


def test_the_untreated_do_nothing_and_positive_controls_all_do_something(effects):
    design = effects.design
    assert effects.strength(design.untreated) == 0
    assert min(effects.strength(s) for s in range(design.classes, design.untreated)) > 0


def test_strengths_are_log_normal(effects):
    logs = np.log([s for s in map(effects.strength, range(400)) if s])
    error = DEFAULT.strength_spread / np.sqrt(len(logs))
    assert np.mean(logs) == pytest.approx(np.log(DEFAULT.strength), abs=3 * error)
    assert np.std(logs) == pytest.approx(DEFAULT.strength_spread, rel=0.15)


def test_an_effect_moves_few_parameters(effects):
    moved = (vectors(effects, "HUVEC") != 0).sum(axis=1)
    assert moved.max() <= 12
    assert moved[moved > 0].min() >= 3
    # Over all siRNAs each of the parameters is moved by some.
    assert (vectors(effects, "RPE") != 0).any(axis=0).all()
    assert 30 <= len(NAMES) <= 36


def test_cell_types_agree_by_half(effects):
    """The correlation of an siRNA's vectors in two types, over all siRNAs and parameters."""
    types = list(CELL_TYPES)
    found = {t: vectors(effects, t) for t in types}
    for i, one in enumerate(types):
        for other in types[:i]:
            agreement = np.corrcoef(found[one].ravel(), found[other].ravel())[0, 1]
            assert agreement == pytest.approx(0.5, abs=0.08)
    shuffled = np.roll(found["RPE"], 1, axis=0)
    assert abs(np.corrcoef(found["HUVEC"].ravel(), shuffled.ravel())[0, 1]) < 0.08


def test_an_effect_is_the_same_in_all_experiments_of_a_type(effects):
    """Wells of two experiments, each less its experiment's mean, agree siRNA by siRNA."""
    design = effects.design

    def wells(name):
        experiment = next(e for e in design.experiments if e.name == name)
        looks = {
            w.sirna: np.array(effects.of_well(experiment, w).steps)
            for w in design.wells(experiment)
            if w.sirna < 400
        }
        table = np.array([looks[s] for s in range(400)])
        return table - table.mean(axis=0)

    first, again, other = wells("HUVEC-01"), wells("HUVEC-02"), wells("RPE-01")
    same = np.corrcoef(first.ravel(), again.ravel())[0, 1]
    across = np.corrcoef(first.ravel(), other.ravel())[0, 1]
    # Chance between wells (0.25 of a step) and efficacy take a part of the agreement of one.
    assert same > 0.8
    assert 0.3 < across < 0.6
    assert across < same - 0.2


def test_a_plate_adds_half_of_what_an_experiment_does():
    effects = make_effects(make_design(3, classes=8, experiments=51), DEFAULT)
    plain = [e for e in effects.design.experiments if not e.aberrant]

    def size(cameras):
        return np.sqrt(np.mean(np.square(np.log([camera.gain for camera in cameras]))))

    batch = size([effects.of_experiment(e)[1] for e in plain])
    plates = size([effects.of_plate(e, p) for e in plain for p in (1, 2, 3, 4)])
    assert plates / batch == pytest.approx(0.5, abs=0.08)
    odd = size([effects.of_experiment(e)[1] for e in effects.design.experiments if e.aberrant])
    assert odd / batch > 1.8


def test_place_is_a_gain_that_grows_from_the_middle_of_the_plate():
    assert place("B02") == (-1.0, -1.0)
    assert place("O23") == (1.0, 1.0)
    assert place("H12") == pytest.approx((-1 / 13, -1 / 21))
    effects = make_effects(make_design(0, classes=1108, experiments=1), DEFAULT)
    (experiment,) = effects.design.experiments
    wells = {w.name: w for w in effects.design.wells(experiment) if w.plate == 1}
    light = {n: np.log(effects.of_place(experiment, w).gain) for n, w in wells.items()}
    assert effects.of_place(experiment, wells["D05"]).offset == STILL.offset
    # Opposite wells share the rim and have the gradient with opposite signs.
    rim = (light["B02"] + light["O23"]) / 2
    np.testing.assert_allclose((light["B23"] + light["O02"]) / 2, rim, atol=1e-12)
    assert np.abs(light["B02"] - light["O23"]).max() > 0.05


def test_severities_change_effects_and_batches_the_right_way():
    design = make_design(1, classes=40, experiments=4)
    worlds = [make_effects(design, SEVERITIES[name]) for name in ("easy", "default", "hard")]
    strength = [np.mean([w.strength(s) for s in range(40)]) for w in worlds]
    assert strength == sorted(strength, reverse=True)
    batch = [np.abs(np.log(w.of_experiment(design.experiments[0])[1].gain)).mean() for w in worlds]
    assert batch == sorted(batch)


def test_two_cameras_act_together():
    one = Camera((2.0,) * 6, (1.0,) * 6, (1.5,) * 6, (0.3,) * 6)
    two = Camera((3.0,) * 6, (2.0,) * 6, (2.0,) * 6, (0.4,) * 6)
    both = one.then(two)
    assert both.gain == (6.0,) * 6
    assert both.offset == (3.0,) * 6
    assert both.gamma == (3.0,) * 6
    assert both.blur == pytest.approx((0.5,) * 6)
    assert one.then(STILL) == one


def test_all_is_drawn_from_the_seed():
    def state(seed):
        effects = make_effects(make_design(seed, classes=8, experiments=2), DEFAULT)
        experiment = effects.design.experiments[1]
        return effects.of_well(experiment, list(effects.design.wells(experiment))[7])

    assert state(1) == state(1)
    assert state(1) != state(2)


def test_steps_mean_values_within_their_range():
    typical = values(np.zeros(len(NAMES)))
    for name, parameter in PARAMETERS.items():
        assert typical[name] == pytest.approx(parameter.typical)
        up, far = (values(steps_of({name: s}))[name] for s in (1.0, 1e3))
        assert up == pytest.approx(parameter.typical * np.exp(parameter.step_size))
        assert far == parameter.high
