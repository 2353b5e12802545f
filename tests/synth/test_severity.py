"""Severities are frozen: what was measured on them must stay comparable."""

import hashlib

import numpy as np
import pytest

from cellwise.errors import UnknownName
from cellwise.synth.hpa_labels import draw_sample, make_label_model
from cellwise.synth.severity import CONTROL, SEVERITIES, digest, severity_named

FROZEN = {
    "easy": "be614e439f41541d2dcc270b333b7740960cd99bc53a3f950bd9cc7783d44385",
    "default": "470ed1f7293388361deb830c2464e92fda34fdcc7032384b8bcb21d6a6880e95",
    "hard": "066ee02aee17d8702c697c0752d902d67268d7248a4e81f72279a65a0e922200",
    "control": "aefab93daab3a3caeded9c2e4e94e43afb2e54322bac188d3fce76ba192f8858",
}
DRAWS = {"default": "c1f6a65d5d4c22acf35fa80f7ad05d6bd63cded0ae0355108729db11f52999ea", "hard": "2940d267fbad306c851429aa3fdf529525e97ecc4b72b066709e639973406f20"}


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
    with pytest.raises(UnknownName, match=r"easy, default, hard, control, not 'hart'.*'hard'"):
        severity_named("hart")
