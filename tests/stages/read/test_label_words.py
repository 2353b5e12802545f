"""What label texts mean: several labels, no label, one class in two spellings, ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.read.read_folders import codes, put, put_table, read

from cellwise.errors import PreflightError
from cellwise.stages.read.label_words import clean_labels
from cellwise.stages.read.label_words.separated import SEPARATORS
from cellwise.stages.read.label_words.spelling import spelled

WELLS = [f"{row}{column:02d}" for row in "AB" for column in (1, 2, 3)]


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plate")
    return put(folder, *(f"{w}_{c}.png" for w in WELLS for c in ("dna", "gfp")))


def labelled(plate, tmp_path, *texts, **options):
    rows = list(zip(WELLS, texts, strict=False))
    table = put_table(tmp_path / "l.csv", ("well", "label"), *rows)
    reading = read(plate, labels=str(table), **options)
    return reading, [site.labels for site in reading.sites][: len(texts)]


@pytest.mark.parametrize("word", ["NA", "nan", "N/A", "n/a", "None", "NULL", "-", "?", "#N/A"])
def test_words_for_nothing_are_unlabelled_and_counted(plate, tmp_path, word):
    reading, labels = labelled(plate, tmp_path, "x", word, "", "y", f" {word} ")
    assert labels == [("x",), None, None, ("y",), None]
    (note,) = [note for note in reading.notes if "unlabelled" in note]
    assert f"2 rows say that nothing is known ({word!r} 2; 1 more is empty)" in note
    assert f"read.classes=x|y|{word}" in note


def test_a_declared_class_may_be_called_none(plate, tmp_path):
    reading, labels = labelled(plate, tmp_path, "x", "None", "NA", classes="None|x")
    assert labels == [("x",), ("None",), None]
    assert reading.classes.names == ("None", "x")


def test_minus_beside_plus_is_a_class(plate, tmp_path):
    assert labelled(plate, tmp_path, "+", "-")[1] == [("+",), ("-",)]


@pytest.mark.parametrize(("name", "classes"), [("Genotype", 2), ("label", 1)])
def test_null_is_a_genotype_and_no_other_label(plate, tmp_path, name, classes):
    rows = zip(WELLS, ("WT", "Null"), strict=False)
    table = put_table(tmp_path / "l.csv", ("well", name), *rows)
    assert len(read(plate, labels=str(table)).classes) == classes


def test_nothing_beside_a_label_is_the_label(plate, tmp_path):
    assert labelled(plate, tmp_path, "a|NA", "b|a")[1] == [("a",), ("a", "b")]


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (("3 12", "3", "12"), "space"),
        (("3 12", "4 1", "5"), "space"),
        (("Golgi;ER", "Golgi"), "semicolon"),
        (("Golgi, ER", "ER"), "comma"),
        (("['Golgi', 'ER']", "Nucleus"), "comma"),
        (("Golgi,Cytosol", "Nuclei,Cytosol"), "comma"),
        (("7,11", "7"), "comma"),
        (("wt/mut", "wt", "mut"), "slash"),
        (("a+b", "a", "b"), "plus"),
        (("membrane nucleus", "Nucleus", "membrane"), "space"),
    ],
)
def test_labels_separated_otherwise_are_refused_with_what_splits_them(plate, tmp_path, texts, name):
    with pytest.raises(PreflightError) as refused:
        labelled(plate, tmp_path, *texts)
    said = str(refused.value)
    assert repr(texts[0]) in said or '"[' in said
    assert f"--set read.separator={name}" in said
    _, labels = labelled(plate, tmp_path, *texts, separator=name, spelling="merge")
    words = {word for found in labels for word in found}
    assert len(labels[0]) == 2
    assert not any(mark in word for word in words for mark in (*SEPARATORS.values(), "'"))
    _, whole = labelled(plate, tmp_path, *texts, separator="bar")
    assert whole[0] == (texts[0],)


@pytest.mark.parametrize(
    "text",
    ["Nuclear membrane", "2,4-dinitrophenol", "N,N-dimethyl", "A549 / wt", "IL-6", "CD4+", "wt/wt"],
)
def test_one_class_of_several_words_is_one_class(plate, tmp_path, text):
    reading, labels = labelled(plate, tmp_path, text, "wt")
    assert labels[0] == (text,)
    assert codes(reading) == []


def test_classes_that_differ_in_spelling_are_named_with_the_merge(plate, tmp_path):
    texts = ("Early stage", "early_stage", "EARLY-STAGE", "Early stage", "late", "Late ")
    reading, labels = labelled(plate, tmp_path, *texts)
    assert len({word for found in labels for word in found}) == 5
    (problem,) = reading.problems
    assert (problem.code, problem.set_aside) == ("class_spelling", False)
    assert "'Early stage' 2, 'EARLY-STAGE' 1, 'early_stage' 1" in problem.reason
    assert problem.remedy.endswith("--set read.spelling=merge")
    reading, labels = labelled(plate, tmp_path, *texts, spelling="merge")
    assert labels == [("Early stage",)] * 4 + [("Late",)] * 2
    assert reading.problems == ()
    assert any("'early_stage' is 'Early stage'" in note for note in reading.notes)


def test_a_declared_class_gives_the_spelling(plate, tmp_path):
    with pytest.raises(PreflightError, match=r"'cytosol'.*read\.spelling=merge"):
        labelled(plate, tmp_path, "cytosol", "cytosol", classes="hpa19")
    labels = labelled(plate, tmp_path, "cytosol", "16", classes="hpa19", spelling="merge")[1]
    assert labels == [("Cytosol",), ("Cytosol",)]


def test_negative_in_two_spellings_is_refused_with_the_merge(plate, tmp_path):
    with pytest.raises(PreflightError, match=r"several ways.*read\.spelling=merge"):
        labelled(plate, tmp_path, "x", "Negative", "negative")
    reading, _ = labelled(plate, tmp_path, "x", "Negative", "negative", spelling="merge")
    assert reading.classes.negative == "Negative"


def test_folders_of_two_spellings_are_named(tmp_path):
    put(tmp_path / "in", "Golgi/a.tif", "golgi/b.tif", "ER/c.tif")
    assert "class_spelling" in codes(read(tmp_path / "in"))
    assert read(tmp_path / "in", spelling="merge").classes.names == ("ER", "Golgi")


def test_ids_that_a_spreadsheet_made_fractions_of_are_ids(plate, tmp_path):
    reading, labels = labelled(plate, tmp_path, "0.0", "16.0", "", "5.0")
    assert labels == [("0",), ("16",), None, ("5",)]
    assert reading.classes.names == ("0", "5", "16")


def test_numbers_are_never_places_in_a_list_of_numbers(plate, tmp_path):
    with pytest.raises(PreflightError, match="1 label not among the 3 classes: '0'"):
        labelled(plate, tmp_path, "0", "4", classes="4|8|9")


@given(st.text(alphabet="aB ü1", min_size=1, max_size=8), st.data())
def test_spelling_forgets_case_and_what_stands_inside_and_nothing_else(word, data):
    word = f"x{word}y"
    other = "".join(
        data.draw(st.sampled_from([" ", "_", "-", ""])) if c == " " else
        data.draw(st.sampled_from([c.upper(), c.lower()])) for c in word
    )  # fmt: skip
    assert spelled(other) == spelled(word)
    assert spelled(f"{word}q") != spelled(word)
    assert spelled(f"{word}+") != spelled(f"{word}-") != spelled(word)


CLASSES = ["Golgi", "ER stress", "IL-6", "7", "wt"]


@given(st.lists(st.lists(st.sampled_from(CLASSES), max_size=3), min_size=1, max_size=8))
def test_the_grammar_is_left_as_it_is(lists):
    texts = ["|".join(found) for found in lists]
    cleaned = clean_labels(texts, where="l.csv", spelling="merge")
    assert [set(text.split("|")) for text in cleaned.texts] == [set(t.split("|")) for t in texts]
    assert not cleaned.problems
    assert not any(re.search("nothing|merged", note) for note in cleaned.notes)


@given(st.text("abcoxeghikmp αβγ", min_size=1, max_size=9).filter(str.strip), st.data())
def test_what_nobody_sees_and_what_looks_alike_is_no_other_spelling(word, data):
    unseen = data.draw(st.sampled_from(["\u200b", "\u00ad", "\u2060", "\ufeff"]))
    place = data.draw(st.integers(0, len(word)))
    assert spelled(f"{word[:place]}{unseen}{word[place:]}") == spelled(word)
    alike = word.translate(str.maketrans("aceopx", "асеорх"))
    assert spelled(alike) == spelled(word)
    for letter, name in (("α", "alpha"), ("β", "beta"), ("γ", "gamma")):
        assert spelled(word.replace(letter, name)) == spelled(word)
    assert spelled(f"{word}q") != spelled(word)


@pytest.mark.parametrize(
    "word",
    [
        "1-Mar",
        "2-Sep",
        "Dec-01",
        "2001-09-02 00:00:00",
        "02.09.2021",
        "9/2/2021",
        "2.31E+13",
        "1E+05",
    ],
)
def test_genes_and_ids_that_a_spreadsheet_turned_are_named(plate, tmp_path, word):
    reading, labels = labelled(plate, tmp_path, word, "TP53", word)
    assert labels == [(word,), ("TP53",), (word,)]
    (problem,) = [problem for problem in reading.problems if problem.code == "class_mangled"]
    assert f"{word!r} 2" in problem.reason
    assert not problem.set_aside


@pytest.mark.parametrize("word", ["MARCHF1", "Sep", "2-methoxyestradiol", "1.5", "10", "E5", "T-1"])
def test_usual_names_are_not_taken_for_turned_ones(plate, tmp_path, word):
    assert "class_mangled" not in codes(labelled(plate, tmp_path, word, "x")[0])


@pytest.mark.parametrize("word", ["#REF!", "#NAME?", "not labelled", "TBD", "N.D."])
def test_broken_formulas_and_words_for_no_label_are_unlabelled(plate, tmp_path, word):
    reading, labels = labelled(plate, tmp_path, "x", word)
    assert labels == [("x",), None]
    assert any(f"({word!r} 1)" in note for note in reading.notes)


@pytest.mark.parametrize(("mark", "word"), [("&", "ampersand"), (" and ", "and"), ("\n", "line")])
def test_two_classes_in_words_between_them_are_refused_until_told(plate, tmp_path, mark, word):
    texts = (f"ER{mark}Golgi", "ER", "Golgi", f"salt{mark}pepper")
    with pytest.raises(PreflightError, match=f"read.separator={word} "):
        labelled(plate, tmp_path, *texts)
    assert labelled(plate, tmp_path, *texts, separator=word)[1][0] == ("ER", "Golgi")
    assert labelled(plate, tmp_path, *texts[1:])[1] == [("ER",), ("Golgi",), (texts[3],)]


@pytest.mark.parametrize(
    "mark", ["、", "；", "｜", " → ", ":", " > ", "\\", "_", " - ", "·", " und ", " et ", " with "]
)
def test_any_sign_or_word_between_two_classes_is_refused_until_told(plate, tmp_path, mark):
    texts = (f"ER{mark}Golgi", "ER", "Golgi", f"salt{mark}pepper", "T-1", "1.5")
    with pytest.raises(PreflightError, match=r"look like several.*ER.*a\|b.*read.separator=bar"):
        labelled(plate, tmp_path, *texts)
    assert labelled(plate, tmp_path, *texts, separator="bar")[1][0] == (texts[0],)
    assert labelled(plate, tmp_path, *texts[1:])[1] == [(text,) for text in texts[1:]]


def test_three_classes_joined_by_unlike_signs_are_refused(plate, tmp_path):
    with pytest.raises(PreflightError, match="look like several"):
        labelled(plate, tmp_path, "ER: Golgi_wt", "ER", "Golgi", "wt")


@pytest.mark.parametrize(
    ("word", "other"),
    [("Golgi?", "Golgi"), ("Golgi *", "Golgi"), ("0,1uM", "0.1uM"), ("1 µM", "1uM"), ("wt.", "wt")],
)
def test_classes_that_differ_in_marks_and_commas_only_are_named(plate, tmp_path, word, other):
    reading, labels = labelled(plate, tmp_path, word, other)
    assert labels == [(word,), (other,)]
    assert codes(reading) == ["class_spelling"]


def test_numbers_with_a_point_before_them_are_no_other_spelling():
    assert len({spelled(word) for word in ("5", ".5", "0.5", "5.5", "+5", "-5")}) == 6


@pytest.mark.parametrize("word", ["unknown", "Not classified", "unclear"])
def test_words_of_people_who_do_not_know_are_unlabelled(plate, tmp_path, word):
    reading, labels = labelled(plate, tmp_path, "x", word)
    assert labels == [("x",), None]
    assert any(f"({word!r} 1)" in note for note in reading.notes)
    assert labelled(plate, tmp_path, "x", word, classes=f"x|{word}")[1] == [("x",), (word,)]


@pytest.mark.parametrize("word", ['"', "〃", "ditto", "As above", '-"-'])
def test_signs_for_the_row_above_are_refused(plate, tmp_path, word):
    with pytest.raises(PreflightError, match=r"2 rows say .* as for the label of the row above"):
        labelled(plate, tmp_path, "x", word, word, "y")


def test_labels_in_the_first_row_of_each_block_are_said_to_be_so(plate, tmp_path):
    reading, labels = labelled(plate, tmp_path, "x", "", "", "y", "", "")
    assert labels == [("x",), None, None, ("y",), None, None]
    assert any("merged cells" in note and "4 rows are unlabelled" in note for note in reading.notes)
    for texts in (("x", "", "", "x", "", ""), ("x", "y", "", "x", "", ""), ("", "x", "", "y", "")):
        assert not any("merged" in note for note in labelled(plate, tmp_path, *texts)[0].notes)
