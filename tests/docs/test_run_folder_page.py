"""The page of the files of a run names what the code declares, and nothing else."""

import dataclasses
import inspect
from pathlib import Path

from tests.docs import run_folder_page as page

from cellwise.domain import tables
from cellwise.stages.decide._decision import Decision
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import ModelCard

KINDS = {
    kind.name: kind
    for name, kind in vars(tables).items()
    if isinstance(kind, tables.TableKind) and name != "WELL_PREDICTIONS"
}


def test_tables_have_the_declared_columns_types_and_order():
    found = {title: list(columns.items()) for title, columns in page.tables().items()}
    assert found == {name: list(kind.columns.items()) for name, kind in KINDS.items()}


def test_tables_are_said_to_be_sorted_as_they_are():
    said = page.sorted_by()
    assert said == {name: kind.sort for name, kind in KINDS.items()}
    wells = tables.WELL_PREDICTIONS
    assert [*wells.columns][:2] == ["unit", "unit_id"]
    assert wells.sort == ("unit_id",)


def test_every_place_of_a_run_folder_is_in_the_page():
    run, given = RunFolder(Path("RUN")), {"fold": 0}
    places = []
    for name, member in vars(RunFolder).items():
        if isinstance(member, property):
            places.append(getattr(run, name))
        elif inspect.isfunction(member) and not name.startswith("_"):
            asked = inspect.signature(member).parameters.values()
            words = [given.get(one.name, "cell") for one in asked if one.name != "self"]
            places.append(member(run, *words))
    assert len(places) > 25
    said = [*page.paths(), *page.folders()]
    for place in places:
        inside = place.relative_to("RUN").as_posix()
        assert any(pattern.fullmatch(inside) for pattern in said), inside


def test_keys_of_cards_and_decisions_are_those_of_the_code():
    of_model = {field.name for field in dataclasses.fields(ModelCard)}
    assert page.keys("model.json") == of_model | {"format", "sha256"}
    of_decision = {field.name for field in dataclasses.fields(Decision)}
    assert page.keys("decisions/*.json") == of_decision | {"format"}
