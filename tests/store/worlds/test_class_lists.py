"""Named class lists are files."""

import pytest

from cellwise.errors import UnknownName
from cellwise.store.worlds.class_lists import class_aliases, class_list, named_lists


def test_hpa19_is_the_challenges_list_in_its_order():
    classes = class_list("hpa19")
    assert len(classes) == 19
    assert classes.names[:3] == ("Nucleoplasm", "Nuclear membrane", "Nucleoli")
    assert classes.names[16] == "Cytosol"
    assert classes.names[18] == classes.negative == "Negative"
    assert classes.parse("8|5|0") == ("Nucleoplasm", "Nuclear bodies", "Intermediate filaments")


def test_atlas_names_lead_to_classes_of_the_list():
    aliases = class_aliases("hpa19")
    assert aliases["Lipid droplets"] == "Vesicles and punctate cytosolic patterns"
    assert aliases["No staining"] == "Negative"
    assert set(aliases.values()) <= set(class_list("hpa19").names)
    assert not set(aliases) & set(class_list("hpa19").names)


def test_an_unknown_list_is_refused_with_the_nearest_name():
    assert "hpa19" in named_lists()
    with pytest.raises(UnknownName, match="Did you mean 'hpa19'"):
        class_list("hpa91")
