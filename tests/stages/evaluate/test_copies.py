"""Fields that show the same as another one count once in held-out figures and in audits."""

import polars as pl
import pytest
from sklearn.metrics import average_precision_score
from tests.app.audit.runs import FIELDS, make_run
from tests.stages.evaluate.test_evaluate_step import _plate, _work, _write

from cellwise.app.audit import audit_run, draw_cells
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import CURATION, PREDICTIONS, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import empty_frame, read_table, write_table


def curated(run, groups, *, reasons=None):
    """A curation table: `groups` of sites that show the same; the first of each stands for them."""
    rows = []
    for members in groups:
        for site in members:
            reason = "" if site == members[0] else f"shows the same as {members[0]}"
            reason = (reasons or {}).get(site, reason)
            rows.append((site, min(members), not reason, reason, None, []))
    schema = empty_frame(CURATION).schema
    write_table(run.curation, CURATION, pl.DataFrame(rows, schema=schema, orient="row"))


@pytest.fixture
def plate(tmp_path):
    """Predictions of twelve labelled wells, one field each, not all of them right."""
    run = RunFolder(tmp_path)
    rows = _plate(effect=0.02, seed=3)
    _write(run, rows)
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    sites = [Site(r["well"], r["well"], file, "train", r["labels"]) for r in rows]
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    return run


def test_a_copy_counts_once_in_figures_of_fields(plate):
    copies = ["A02", "B01", "E12"]
    curated(plate, [["A01", "A02", "B01"], ["F12", "E12"]])
    _, metrics, detail = _work(plate)
    assert metrics["site_macro_ap"].n == metrics["well_macro_ap"].n == 12 - len(copies)
    assert detail["copies_left_out"] == 3
    frame = read_table(plate.predictions, PREDICTIONS)
    kept = frame.filter(pl.col("Weak_labels").list.len() > 0, ~pl.col("site_id").is_in(copies))
    fields = kept.group_by("site_id").agg(
        pl.col("Prob_a").mean(), pl.col("Weak_labels").first().list.contains("a").alias("truth")
    )
    want = average_precision_score(fields["truth"], fields["Prob_a"])
    assert metrics["site_macro_ap_positive"].value == pytest.approx(want, abs=1e-6)


def test_nothing_is_left_out_where_no_field_is_a_copy(plate):
    _, before, _ = _work(plate)
    curated(plate, [])
    _, metrics, detail = _work(plate)
    assert metrics == before
    assert "copies_left_out" not in detail


def test_a_copy_of_a_field_without_a_label_counts(plate):
    """C of a dose has no label: nothing else stands for what A01 shows."""
    curated(plate, [["A03", "A01"]], reasons={"A01": ""})
    _, metrics, _ = _work(plate)
    assert metrics["site_macro_ap"].n == 12


def test_one_stands_for_all_where_none_teaches(plate):
    """A dark negative stands for its dark copies; with `duplicates: false` all of them teach."""
    dark = "negative, no cell above 3 of 255 in the protein channel"
    again = f"shows the same as A02; {dark}"
    curated(plate, [["A02", "A01"]], reasons={"A02": dark, "A01": again})
    assert RunReader(plate).copies() == {"A01"}
    curated(plate, [["A02", "A01"]], reasons={"A01": ""})
    assert RunReader(plate).copies() == {"A02"}


def test_cells_of_copies_are_in_no_share_of_an_audit(tmp_path):
    run, *_ = make_run(tmp_path)
    whole = audit_run(run.path)
    names = sorted(FIELDS)
    curated(run, [[names[0], names[4]], [names[1], names[3], names[5]]])
    found = audit_run(run.path)
    assert (whole["fields"], whole["copies_left_out"]) == (24, 0)
    assert (found["fields"], found["copies_left_out"]) == (21, 3)
    assert found["cells"] == whole["cells"] - 3 * 12
    each = {one["class"]: one["fields"] for one in found["classes"]}
    before = {one["class"]: one["fields"] for one in whole["classes"]}
    gone = [FIELDS[name] for name in (names[4], names[3], names[5])]
    assert each == {name: before[name] - sum(name in labels for labels in gone) for name in each}
    assert not {one["site_id"] for one in found["suspicious_fields"]} & {names[3], names[4]}


def test_a_draw_that_held_copies_keeps_its_cells(tmp_path):
    run, *_ = make_run(tmp_path)
    draw_cells(run.path, 40, seed=0)
    names = sorted(FIELDS)
    curated(run, [[names[0], names[4]]])
    assert audit_run(run.path)["cells"] == 24 * 12


def test_no_copy_is_drawn(tmp_path):
    run, *_ = make_run(tmp_path)
    names = sorted(FIELDS)
    curated(run, [[names[0], names[4]]])
    sheet = pl.read_csv(draw_cells(run.path, 23 * 12, seed=0))
    assert set(sheet["site_id"]) == set(names) - {names[4]}
    assert audit_run(run.path)["drawn"] == 23 * 12
