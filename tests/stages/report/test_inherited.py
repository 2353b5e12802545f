"""The section on labels to doubt: bounds, shares of judged cells, cells and fields to look at."""

import json

import polars as pl

from cellwise.app.audit import audit_run, draw_cells
from cellwise.domain.tables import CURATION
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table


def _section(made, name):
    page = made.html()
    if f'<section id="{name}"' not in page:
        return ""
    part = page[page.index(f'<section id="{name}"') :]
    return " ".join(part[: part.index("</section>")].split())


def test_without_judged_cells_bounds_stand_there_with_what_they_assume(plate_run):
    part = _section(plate_run, "audit")
    assert "How many inherited labels are wrong" in part
    assert "Labels of fields alone set bounds only" in part
    assert "Missed, of those that show it" not in part
    assert "cellwise audit RUN --draw 200" in part


def test_shares_of_judged_cells_have_intervals_and_their_number(plate_run):
    run = RunFolder(plate_run.run)
    sheet = draw_cells(run.path, 40, seed=0)
    rows = pl.read_csv(sheet, schema_overrides={"classes": pl.String, "who": pl.String})
    rows.with_columns(pl.lit("inside").alias("classes")).write_csv(sheet)
    audit_run(run.path, verdicts=sheet)
    part = _section(plate_run, "audit")
    assert "were judged. Estimates with 90 % intervals" in part
    assert "Missed, of those that show it" in part
    assert "aria-label" in part
    # The class of this plate that no judged cell shows.
    assert "Estimates beyond them:" in part
    assert "or some field has no cell that shows its label: Negative</li>" in part


def test_cells_that_seem_to_show_what_their_field_lacks_are_shown(plate_run):
    part = _section(plate_run, "audit")
    cells = part[part.index("Cells that seem to show a class their field lacks") :]
    assert cells.count('class="image"') > 3
    fields = part[part.index("Few cells support the label") : part.index("Many cells show")]
    assert 0 < fields.count('class="image"') <= 6


def test_fields_that_do_not_teach_have_their_reason_and_a_section_where_asked(plate_run):
    assert _section(plate_run, "curation") == ""
    frame = pl.DataFrame(
        {
            "site_id": ["a", "b", "c", "d"],
            "same_as": ["a", "a", None, None],
            "teaches": [True, False, False, True],
            "reason": ["", "shows the same as a", "negative, no cell above 31 of 255", ""],
            "brightest": [200.0, 200.0, 31.0, None],
            "flags": [[], [], [], ["out_of_focus"]],
        },
        schema_overrides={"flags": pl.List(pl.String)},
    )
    write_table(RunFolder(plate_run.run).curation, CURATION, frame)
    assert _section(plate_run, "curation") == "", "another recipe left it"
    record = json.loads(RunFolder(plate_run.run).record.read_text())
    record["recipe"]["steps"].append({"kind": "curate", "name": "curate"})
    RunFolder(plate_run.run).record.write_text(json.dumps(record))
    part = _section(plate_run, "curation")
    assert (
        "2 of 4 fields are not used for training. 1 show the same as another labelled field. 1 have"
        in part
    )
    assert "shows the same as a" in part
    assert "negative, no cell above 31 of 255" in part
    assert "out of focus" in part
