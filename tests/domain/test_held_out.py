"""Which runs' figures of labelled fields are said to be too good, and the columns that mend it."""

from cellwise.domain.held_out import folds_left_out, label_without, labels_pass_on

LEARNED = {"kind": "label", "counts": {"method": "hedge", "cells": 3}}
APART = {
    "kind": "label",
    "counts": {"method": "hedge", "supported": 3, "made_without_each_of": [0, 1]},
}
BY_SCORES = {"kind": "label", "counts": {"supported": 3, "unscored": 1}}
INHERITED = {"kind": "label", "counts": {"inherited": 3}}


def test_labels_made_in_rounds_over_all_fields_pass_on():
    assert labels_pass_on([{"kind": "read"}, LEARNED])
    assert labels_pass_on([APART, LEARNED])
    assert labels_pass_on([INHERITED, BY_SCORES])


def test_labels_made_without_each_fold_or_not_learned_do_not():
    assert not labels_pass_on([APART, INHERITED, {"kind": "train", "counts": {"method": "x"}}])
    assert not labels_pass_on([{"kind": "label"}])
    assert not labels_pass_on([{"kind": "label", "counts": {"supported": 0, "unscored": 4}}])
    assert not labels_pass_on([])


def test_columns_are_named_by_the_fold():
    names = ["label", label_without(12), label_without(3), "label_without_b"]
    assert folds_left_out(names) == [3, 12]
