"""Which recipe a folder gets by itself."""

from types import SimpleNamespace

import pytest

from cellwise.domain.classes import ClassList
from cellwise.errors import PreflightError
from cellwise.flow.proposal import propose
from cellwise.flow.recipe.load import recipe_names


def reading(labels, *, names=("A", "B"), negative=None, wells=None, **given):
    """A folder with one site for each entry of `labels`; None is a site without label."""
    sites = [
        SimpleNamespace(
            labels=own,
            raw_id=f"s{k}",
            metadata={} if wells is None else {"Well": wells[k]},
        )
        for k, own in enumerate(labels)
    ]
    known = {"layout": "pattern", "class_list": "", "labels_file": "", "counts": {}}
    classes = ClassList(names, negative)
    return SimpleNamespace(usable=sites, classes=classes, **{**known, **given})


ONE = [("A",), ("B",), ("A",)]


@pytest.mark.parametrize(
    ("folder", "recipe"),
    [
        (reading([None, None]), "segment-only"),
        (reading(ONE, layout="hpa"), "features-quick"),
        (reading(ONE, class_list="hpa19"), "features-quick"),
        (reading([*ONE, ("A", "B")]), "features-quick"),
        (reading([("A",), ("N",)], names=("A", "N"), negative="N"), "plate-quick"),
        (reading([("A",), ("B",), None], wells=["A01", "A02", "A03"]), "plate-quick"),
        (reading([("A",), ("B",), None], wells=["A01", "A02", "A01"]), "one-class-features"),
        (reading(ONE), "one-class-features"),
        (reading(ONE, layout="rxrx1"), "one-class-features"),
    ],
)
def test_the_first_rule_that_holds(folder, recipe):
    found = propose(folder)
    assert found.recipe == recipe
    assert found.recipe in recipe_names()
    assert found.why


def test_labels_of_other_fields_are_refused():
    with pytest.raises(PreflightError, match="labels none of the"):
        propose(reading([None], labels_file="labels.csv"))


def test_settings_of_networks_take_the_recipe_with_networks():
    one_class, several = reading([("A",), ("B",)] * 4), reading([("A", "B"), ("B",)] * 4)
    for folder, measured, network in (
        (one_class, "one-class-features", "one-class"),
        (several, "features-quick", "hpa-quick"),
    ):
        assert propose(folder, {"train.epochs": 3}).recipe == network
        assert "settings of networks" in propose(folder, {"train.epochs": 3}).why
        assert propose(folder, {"read.label": "dose"}).recipe == measured
        # What no recipe knows is refused where the recipe is resolved.
        assert propose(folder, {"train.epoch": 3}).recipe == measured


def screen(*, experiments=3, wells=40, labels=None, kinds=1):
    """Labelled wells of several experiments in the layout of RxRx1, each with all treatments."""
    sites = [
        SimpleNamespace(
            labels=(str(well % 20) if labels is None else labels(e),),
            raw_id=f"{e}-{well}",
            metadata={
                "Experiment": f"E{e}",
                "Plate": "1",
                "Well": f"B{well}",
                "CellType": f"T{e % kinds}",
            },
        )
        for e in range(experiments)
        for well in range(wells)
    ]
    base = reading([("A",)], layout="rxrx1")
    return SimpleNamespace(**{**vars(base), "usable": sites})


@pytest.mark.parametrize(
    ("folder", "recipe"),
    [
        (screen(), "rxrx1-quick"),
        (screen(experiments=6, kinds=2, wells=20), "rxrx1-quick"),
        # Too few wells, too few experiments of one cell type, classes that are the experiments'.
        (screen(wells=30), "one-class-features"),
        (screen(experiments=2, wells=80), "one-class-features"),
        (screen(experiments=4, kinds=2), "one-class-features"),
        (screen(labels=lambda experiment: f"line {experiment}"), "one-class-features"),
    ],
)
def test_a_screen_gets_its_recipe_where_a_network_can_learn_it(folder, recipe):
    found = propose(folder)
    assert found.recipe == recipe
    assert found.recipe in recipe_names()
