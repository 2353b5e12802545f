"""Planted errors: as many put right as by the source; graphs where fields share errors."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tests.stages.label.graph import the_source
from tests.stages.label.graph.planted import by_cell, by_field

from cellwise.contracts.labeller import Bags
from cellwise.stages.label import graph, posterior
from cellwise.stages.label.graph._denoise import ONE_LABEL, Cells, Settings, denoised


def _bags(planted):
    flat = np.zeros(len(planted.site), bool)
    fields = planted.given[np.unique(planted.site, return_index=True)[1]]
    return Bags(planted.site, fields, None, flat, flat, vectors=planted.vectors)


def _right(labels, planted):
    chosen = np.argmax(labels[:, : planted.true.shape[1]], axis=1)
    return float(planted.true[np.arange(len(labels)), chosen].mean())


def _denoised(planted, soft, more):
    settings = Settings(ONE_LABEL, 199, "", 64, False, 0.0, 50, more, 0.001, 0.12, 100)
    every = np.arange(len(soft))
    return denoised(
        Cells(planted.vectors, soft, every >= 0, soft > 2, None, every), settings, 0
    ).values


@pytest.mark.slow
def test_five_thousand_cells_are_as_right_as_the_source_makes_them():
    planted = by_cell(5000, 0)
    # What a network would say: .8 of the label that it was given, .05 of the others.
    soft = np.where(planted.given, 0.8, 0.05).astype(np.float32)
    theirs = the_source.denoised(planted.vectors, soft)
    ours = _denoised(planted, soft, 0)
    assert 0.81 < _right(planted.given, planted) < 0.85
    assert _right(theirs, planted) > 0.89
    assert _right(ours, planted) == pytest.approx(_right(theirs, planted), abs=0.005)
    assert np.array_equal(ours, _denoised(planted, soft, 0))
    # 60 clusters have 60 functions that belong together; the source takes 50 of them.
    assert _right(_denoised(planted, soft, 10), planted) > _right(theirs, planted) + 0.03


def _ap(labels, planted):
    return float(average_precision_score(planted.true, labels * planted.given))


def test_errors_by_field_graphs_gain_over_a_vote_and_the_posterior_over_graphs():
    planted = by_field(150, 10, 0)
    bags = _bags(planted)
    vote = _ap(graph.build()(bags).label, planted)
    smooth = _ap(graph.build("spectral")(bags).label, planted)
    best = _ap(posterior.build("one_state", rounds=2, restarts=1)(bags).label, planted)
    inherited = _ap(planted.given, planted)
    assert inherited + 0.04 < vote < smooth < best
