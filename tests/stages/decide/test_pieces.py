"""Decisions on cells a piece at a time are those on all at once."""

import numpy as np
import pytest

from cellwise.contracts.curves import InField
from cellwise.domain.units import pieces
from cellwise.stages.decide._combination import Combination
from cellwise.stages.decide._predictions import probability_columns, uncertainty


@pytest.mark.parametrize("how", ["logits", "probabilities", "median"])
def test_scores_are_joined_alike_in_pieces_and_at_once(how, monkeypatch):
    rng = np.random.default_rng(0)
    members = rng.normal(size=(3, 40, 4)).astype(np.float32)
    members[1, 5:9] = np.nan
    field = np.repeat(np.arange(8), 5)
    group = [None, "a", "b", "b"] * 10
    way = Combination(
        how,
        (1.0, 2.0, 0.5) if how != "median" else (),
        tuple(InField(2.0, 0.2, robust=True) for _ in range(3)),
        (("a", (0.0, 1.0, 1.0)),) if how != "median" else (),
    )
    whole = way(members, field, group)
    monkeypatch.setattr(pieces, "__kwdefaults__", {"most": 24})
    np.testing.assert_array_equal(way(members, field, group), whole)


def test_uncertainty_and_the_likeliest_classes_are_alike_in_pieces(monkeypatch):
    chance = np.random.default_rng(1).random((50, 70)).astype(np.float32)
    names = [f"c{k}" for k in range(70)]
    whole = uncertainty(chance), probability_columns(chance, names)
    monkeypatch.setattr(pieces, "__kwdefaults__", {"most": 200})
    np.testing.assert_array_equal(uncertainty(chance), whole[0])
    for one, other in zip(probability_columns(chance, names), whole[1], strict=True):
        assert one.equals(other)
