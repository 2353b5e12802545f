"""What the report says of probabilities that were fitted to judged cells."""

from types import SimpleNamespace

from cellwise.stages.report.sections.audit.calibrated import points
from cellwise.stages.report.sections.provenance import calibration_of

AUDITED = {"calibration": "audited", "judged": 200, "seen": 40}
WEAK = {"calibration": "weak", "judged": 200, "seen": 3, "why": "3 judged cells show it"}


def material(classes, *, kind="weak", fitted=None):
    decision = {"calibration": kind, **({"audit": {"classes": classes}} if classes else {})}
    return SimpleNamespace(
        decisions={"decide": decision, "control": {"calibration": "weak"}},
        choices=SimpleNamespace(negative_control="control"),
        record={"inputs": {"fitted": fitted}},
    )


def test_each_class_is_stated_with_its_judged_cells():
    found = points(material({"a": AUDITED, "b": WEAK, "c": WEAK}))
    assert [css for css, _ in found] == ["good", "care"]
    good, care = (words for _, words in found)
    assert "Probabilities of a are audited" in good
    assert "a 40 of 200" in good
    assert "2 classes are weak" in care
    assert "b, c: 3 judged cells show it" in care


def test_all_of_a_run_is_audited_only_where_all_classes_are():
    whole = material({"a": AUDITED, "b": AUDITED}, kind="audited")
    ((css, words),) = points(whole)
    assert (css, calibration_of(whole.decisions, "control")) == ("good", "audited")
    assert words.startswith("Probabilities are audited")
    some = material({"a": AUDITED, "b": WEAK})
    assert calibration_of(some.decisions, "control") == "weak"


def test_of_a_run_that_applies_another_the_cells_were_judged_there():
    ((_, words),) = points(material({"a": AUDITED}, kind="audited", fitted="/old.run"))
    assert "of the run whose models were applied" in words


def test_nothing_is_said_where_nobody_asked():
    assert points(material({})) == []
