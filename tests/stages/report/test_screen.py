"""The section on wells of a screen: what it says, and that other runs have none."""

import re

import pytest
from tests.screens import Screen

from cellwise.domain.steps import Job
from cellwise.stages.assign.spec import Options as AssignOptions
from cellwise.stages.assign.step import work as assign
from cellwise.stages.evaluate.spec import Options as EvaluateOptions
from cellwise.stages.evaluate.step import work as evaluate
from cellwise.stages.profile.spec import Options as ProfileOptions
from cellwise.stages.profile.step import work as profile
from cellwise.stages.report.sections import screen as screen_section
from cellwise.stages.report.sections.verdict import _chance
from cellwise.stages.report.spec import Options
from cellwise.stages.report.step import work as report


def quiet(done, total, note):
    return None


def page_of(screen, *, profiles=True):
    run = screen.run
    (run.path / "models" / "net").mkdir(parents=True, exist_ok=True)
    screen.embed("tiles")

    def job(name, options):
        return Job(run.path, run.path, name, options, "k", 0)

    assign(job("assign", AssignOptions.of({"from": "tiles"}).model_dump(by_alias=True)), quiet)
    profile(job("wells", ProfileOptions.of({"embeddings": "tiles"}).model_dump()), quiet)
    raw = ProfileOptions.of({"embeddings": "tiles", "normalise": "none"}).model_dump()
    profile(job("as_seen", raw), quiet)
    named = {"treatments": "assign", "draws": 40}
    if profiles:
        named |= {"profiles": "wells", "profiles_before": "as_seen"}
    evaluate(job("evaluate", EvaluateOptions.of(named).model_dump()), quiet)
    report(job("report", Options().model_dump()), quiet)
    return run.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of(Screen(tmp_path_factory.mktemp("page"), experiments=8, tests=3, told=True))


def section(page):
    return re.search(r'<section id="screen">(.*?)</section>', page, re.DOTALL)[1]


def test_accuracy_stands_with_and_without_design_by_cell_type(page):
    text = section(page)
    for words in ("From the images alone", "Inside the plate", "Each treatment once", "HUVEC",
                  "U2OS", "New", "do not use it"):  # fmt: skip
        assert words in text, words
    assert "<td>Known</td>" not in text


def test_the_page_of_whole_sites_says_nothing_of_cells(page):
    assert "A treatment for every well" in page
    assert "No cell was found" not in page
    assert "from the images alone; a guess would be right in" in page
    assert re.findall(r'<section id="(\w+)">', page) == [
        "verdict", "inputs", "screen", "classes", "splits", "provenance"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("share", "said"), [(0.125, "12"), (1, "100"), (1 / 64, "2"), (1 / 1108, "0.09")]
)
def test_chance_is_written_as_a_person_would(share, said):
    assert _chance(share) == said


def test_where_nothing_was_left_out_the_page_says_so(tmp_path):
    screen = Screen(tmp_path, experiments=4, tests=2)
    screen.rows = [row for row in screen.rows if row[7]]
    screen._write(told=False)
    assert "nothing in this run can test them" in page_of(screen, profiles=False)


def test_maps_are_coloured_twice_and_places_are_shown(page):
    text = section(page)
    assert "Coloured by experiment" in text
    assert "Coloured by treatment" in text
    assert text.count("<svg") >= 4
    assert "Plate map: right answers by place" in text


def test_batches_and_replicates_stand_before_and_after_the_batch_is_taken_out(page):
    text = section(page)
    assert text.count("Coloured by experiment, as the network sees them") == 1
    assert text.count("Coloured by treatment, the batch taken out") == 1
    assert text.count("the same before the batch was taken out") == 2
    shares = re.findall(r">plate</td><td[^>]*>(\d+) %</td><td[^>]*>(\d+) %</td>", text)
    assert len(shares) == 1
    before, after = map(int, shares[0])
    assert before > 5 > after == 0


def test_treatments_far_from_the_middle_have_a_colour_and_no_point_lies_on_the_frame():
    names = [f"t{k}" for k in range(30) for _ in range(2)]
    x = [float(9 + k if k in (3, 7) else k % 3) for k in range(30) for _ in range(2)]
    shown = {"x": x, "y": [0.0] * 60, "share": [0.9], "treatment": names,
             "experiment": ["E1", "E2"] * 30, "well": names}  # fmt: skip
    drawn = screen_section._maps(shown, "")
    assert [one["by"] for one in drawn] == ["experiment", "treatment"]
    assert {name for name, _ in drawn[1]["legend"][:2]} == {"t3", "t7"}
    assert drawn[1]["legend"][-1][0].endswith("others")
    low, high = screen_section._range(x)
    assert low < min(x) < max(x) < high
    # A single well of each: all of them count.
    assert screen_section._farthest(["a", "b"], [5.0, 0.1], [0.0, 0.0])[0] in ("a", "b")


def test_a_table_of_many_classes_is_folded_up(tmp_path):
    few = page_of(Screen(tmp_path / "few", experiments=2, tests=1, size=2), profiles=False)
    many = page_of(Screen(tmp_path / "many", experiments=2, tests=1, size=8), profiles=False)
    assert "<summary>Labels given" not in few
    assert "Labels given to fields (a field may have several)" in few
    found = re.search(r"<summary>Labels given to fields: (\d+) classes", many)
    assert found[1] == "34"


def test_hits_say_what_their_controls_allow(page):
    text = section(page)
    assert "smallest p that some treatment can have" in text
    assert "no false discovery rate can be given" in text


def test_a_layout_that_recurs_is_said_in_the_page(tmp_path):
    screen = Screen(tmp_path, experiments=4, tests=1, size=12, signal=9.0, told=True)
    one = {(row[1], row[2]): row[4] for row in screen.rows if row[0] == "U2OS-00"}
    screen.rows = [
        (*row[:4], one[row[1], row[2]], *row[5:]) if row[0] == "U2OS-02" else row
        for row in screen.rows
    ]
    screen._write(told=True)
    text = section(page_of(screen, profiles=False))
    assert "hold the same treatments at the same places" in text
    assert "U2OS-02/U2OS-02_1" in text
    assert "Coloured by" not in text


def test_names_are_escaped(tmp_path):
    screen = Screen(tmp_path, experiments=4, tests=1, told=True)
    screen.classes = tuple(name.replace("t00", "<b>t</b>") for name in screen.classes)
    screen._write(told=True)
    assert "<b>t</b>" not in page_of(screen)
