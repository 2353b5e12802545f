import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.classes import ClassList, classes_from_labels, split_labels

CLASSES = ClassList(("Golgi", "Cytosol", "Negative"), "Negative")


def test_names_and_indices_mean_the_same():
    assert CLASSES.parse("1|Golgi") == ("Golgi", "Cytosol") == CLASSES.parse("Cytosol | 0")


def test_an_empty_text_is_unlabelled():
    assert CLASSES.parse("") is None
    assert CLASSES.parse(None) is None
    assert split_labels(" | ") is None


def test_negative_excludes_every_other_class():
    assert CLASSES.parse("Negative") == ("Negative",)
    with pytest.raises(ValueError, match="excludes"):
        CLASSES.parse("Negative|Golgi")


def test_an_index_outside_the_list_is_refused():
    with pytest.raises(ValueError, match="No class"):
        CLASSES.parse("3")


def test_negative_is_not_learned():
    assert CLASSES.positive == ("Golgi", "Cytosol")


def test_a_labels_column_declares_its_classes():
    found = classes_from_labels(["b|a", None, "negative", "a"])
    assert found == ClassList(("a", "b", "negative"), "negative")


@given(st.lists(st.sampled_from(["Golgi", "Cytosol"]), min_size=1))
def test_order_and_repetition_in_a_text_change_nothing(words):
    assert CLASSES.parse("|".join(words)) == CLASSES.parse("|".join(sorted(set(words))))
