"""Severities are frozen: what was measured on them must stay comparable."""

import hashlib

import numpy as np
import pytest

from cellwise.errors import UnknownName
from cellwise.lab.synth.hpa.labels import draw_sample, make_label_model
from cellwise.lab.synth.severity import CONTROL, SEVERITIES, digest, severity_named

FROZEN = {
    "easy": "109637888a9fe9ac25327cfa701d65f6fae12606560c229292f9319aa035ce1c",
    "default": "25f6f435978c20eac74dfc18f47c5b6a129976802c52b998dbe5d1ed41ae6bb8",
    "hard": "7fc9d77c864f0fa4b2e79b13a7f88de9beec8c4c0c0892120d51aefe392adcca",
    "control": "0273af07432ceed3c01e0b0a421ec3ac53c3a851dda9275c22bf6eaf74e396be",
}
DRAWS = {
    "default": "dff9ec447f922e9c544045c4f268235143fcde616b97cc49d73d2f1ef7aa65d4",
    "hard": "35a4b1372f0669dfc74eb6adf9808be06f284bc49f1b5cae37a39a55746cc18c",
}


@pytest.mark.parametrize("name", list(FROZEN))
def test_the_knobs_are_those_frozen_before_any_learner_ran(name):
    """A change here is a new world: every published figure would have to be measured again."""
    assert digest(severity_named(name)) == FROZEN[name]


@pytest.mark.parametrize("name", list(DRAWS))
def test_the_same_knobs_draw_the_same_labels_as_when_they_were_frozen(name):
    model = make_label_model(1, severity_named(name), side_um=81.92)
    seen = hashlib.sha256()
    for number in range(40):
        sample = draw_sample(model, "train", number)
        seen.update(repr((sample.verdict, sample.counts, sample.line)).encode())
        seen.update(np.packbits(sample.cells.shown).tobytes())
    assert seen.hexdigest() == DRAWS[name]


def test_another_knob_is_another_digest():
    digests = {digest(severity) for severity in (*SEVERITIES.values(), CONTROL)}
    assert len(digests) == len(SEVERITIES) + 1


def test_an_unknown_severity_is_refused_with_the_nearest_name():
    with pytest.raises(
        UnknownName, match=r"easy, default, hard, control, foreign, not 'hart'.*'hard'"
    ):
        severity_named("hart")
