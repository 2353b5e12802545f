"""What is said of a split before any pixel is read: too few fields, and what is mixed up."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.records import Site
from cellwise.stages.split._foresight import foresight_of
from cellwise.stages.split.spec import Options

NAMES = ("a", "b", "c", "Negative")


def folder(rows, names=NAMES):
    """Fields of these `(labels, metadata)`."""
    sites = tuple(
        Site(f"s{k:02d}", f"s{k:02d}", (), labels=labels, metadata=metadata)
        for k, (labels, metadata) in enumerate(rows)
    )
    negative = "Negative" if "Negative" in names else None
    return FolderFacts(sites, (), ClassList(tuple(names), negative), "labels.csv")


def seen(rows, folds=2, by="auto"):
    return foresight_of(Options(folds=folds, by=by), folder(rows))


def one_each(*labels, **metadata):
    return [((label,), metadata) for label in labels]


def test_two_fields_of_each_class_are_enough():
    found = seen(one_each("a", "a", "b", "b"))
    assert found.refusals == found.warnings == ()
    assert [(c.name, c.fields, c.groups, c.enough) for c in found.classes] == [
        ("a", 2, 2, True),
        ("b", 2, 2, True),
    ]


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        (one_each("a", "a", "b"), "too_few_fields", ["a 2", "b 1", "merge classes"]),
        (one_each("a", "b"), "too_few_fields", ["a 1", "b 1"]),
        (one_each("a", "a", "a"), "one_class", ["a 3 of 3", "Negative"]),
        (one_each("Negative", "Negative", "Negative"), "one_class", ["Negative"]),
        (one_each("a", "a", "Negative"), "too_few_fields", ["Negative 1"]),
    ],
)
def test_too_few_fields_are_refused_with_the_cure(rows, code, words):
    (refusal,) = seen(rows).refusals
    assert refusal.code == code
    assert all(word in str(refusal) for word in words)


def test_fewer_folds_are_the_cure_where_they_suffice():
    (refusal,) = seen(one_each("a", "a", "b", "b"), folds=5).refusals
    assert "--set split.folds=4" in refusal.remedy


def test_one_rare_class_is_a_warning():
    found = seen(one_each("a", "a", "b", "b", "c"))
    assert found.refusals == ()
    assert "c (1)" in found.warnings[0]
    assert [c.enough for c in found.classes] == [True, True, False]


def test_fields_of_one_group_are_no_evidence_for_each_other():
    rows = [(("a",), {"Batch": "1"}), (("a",), {"Batch": "1"})]
    rows += [(("b",), {"Batch": name}) for name in ("2", "3")]
    assert seen(rows, by="site").refusals == ()
    (refusal,) = seen(rows, by="Metadata_Batch").refusals
    assert refusal.code == "too_few_fields"


def test_a_column_that_is_not_there_is_refused():
    (refusal,) = seen(one_each("a", "a", "b", "b", Plate="1"), by="Metadata_Plat").refusals
    assert "Metadata_Plate" in str(refusal)


def test_fields_without_label_and_of_the_test_part_say_nothing():
    assert seen([(None, {}), (None, {})]) == Foresight()


def test_a_class_that_is_a_batch_is_said():
    rows = [
        ((name,), {"Experiment": f"{name}-01", "Plate": str(p)}) for name in "abc" for p in (1, 2)
    ]
    (said,) = seen(rows).warnings
    assert "Class and experiment cannot be distinguished: 3 of 3" in said
    assert "a in a-01" in said


def test_classes_that_share_batches_are_no_warning():
    rows = [((name,), {"Plate": p, "Well": f"{name}{p}"}) for name in "ab" for p in "12"]
    assert seen(rows).warnings == ()


def split_by_hand(rows, groups):
    """Whether some class can lie, with its absence, on both sides of some cut of the groups."""
    known = sorted(set(groups))
    for sides in product((0, 1), repeat=len(known)):
        side = dict(zip(known, sides, strict=True))
        for name in NAMES[:-1]:
            there = {(side[g], name in labels) for (labels, _), g in zip(rows, groups, strict=True)}
            if len(there) == 4:
                return True
    return False


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from(NAMES[:-1]), min_size=1), st.sampled_from("uvwx")),
        min_size=2,
        max_size=7,
    )
)
def test_a_folder_is_refused_exactly_where_no_cut_of_its_groups_serves_a_class(drawn):
    rows = [(tuple(sorted(labels)), {"Batch": group}) for labels, group in drawn]
    groups = [group for _, group in drawn]
    found = seen(rows, by="Metadata_Batch")
    assert bool(found.refusals) == (not split_by_hand(rows, groups))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12))
def test_a_class_is_enough_only_where_it_could_be_learned(labels):
    found = seen(one_each(*labels))
    positives = [count for count in found.classes if count.name != "Negative"]
    assert bool(found.refusals) == (not any(count.enough for count in positives))
    for count in found.classes:
        others = len(labels) - labels.count(count.name)
        assert count.enough == (labels.count(count.name) >= 2 and others >= 2)


def test_what_lies_on_all_fields_but_one_is_said():
    rows = [(("a", "b"), {}), (("a", "b"), {}), (("a",), {}), (("a",), {}), (("c",), {})]
    found = seen(rows)
    assert found.refusals == ()
    assert any(text.startswith("Too few fields without a (4)") for text in found.warnings)


def test_experiments_are_counted_within_a_cell_type_where_they_are_dealt_out_so():
    rows = [
        (("a" if n % 2 else "b",), {"Experiment": f"{kind}-{k}", "CellType": kind})
        for kind, count in (("RPE", 2), ("U2OS", 1))
        for k in range(count)
        for n in range(4)
    ]
    options = Options(folds=3, by="Metadata_Experiment", method="by_cell_type")
    (refusal,) = foresight_of(options, folder(rows)).refusals
    assert refusal.reason == (
        "3 folds need at least 3 experiments of one cell type with labels, here are 2."
    )
    assert not foresight_of(options.model_copy(update={"folds": 2}), folder(rows)).refusals


def plated(rows):
    """Fields of these `(label, plate, well)`."""
    return [((label,), {"Plate": plate, "Well": well}) for label, plate, well in rows]


LAYOUT = [(label, plate, well) for plate in ("P1", "P2", "P3")
          for label, well in (("a", "B02"), ("a", "B03"), ("b", "C02"), ("b", "C03"))]  # fmt: skip


def tied(rows):
    return [text for text in seen(plated(rows)).warnings if "place on the plate" in text]


def test_classes_with_places_of_their_own_on_all_plates_are_told():
    (text,) = tied(LAYOUT)
    assert "a in B02, B03; b in C02, C03" in text


@pytest.mark.parametrize(
    "rows",
    [
        # One place of another class on another plate tells them apart.
        [*LAYOUT[:-1], ("a", "P3", "C03")],
        # A layout that never comes back.
        [(label, f"P{n}", f"B{n:02d}") for n, label in enumerate("aabb", 2)],
        # A single plate.
        LAYOUT[:4],
    ],
)
def test_shared_places_and_layouts_that_do_not_recur_are_not(rows):
    assert tied(rows) == []
