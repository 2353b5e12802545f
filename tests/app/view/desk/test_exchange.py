"""Verdicts of other tools come in, all go out, and one file is enough to have them back."""

import base64
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.app.view.desk.conftest import AtDesk

from cellwise.app.view.desk.exchange import backup, bring, table
from cellwise.errors import PreflightError, UsageError
from cellwise.store.annotations.saves import annotations


def test_a_table_of_another_tool_comes_in_with_its_names_and_goes_out_whole(at_desk):
    content = 'site,cell,label,verdict,annotator\nplate_A01,3,inside,yes,"Ada ""<b>"" =1+1"\n'
    found = bring(at_desk.desk, "of <them>.csv", content, who="ann")
    assert (found["verdicts"], found["lost"]) == (1, [])
    text = table(at_desk.desk)
    out = pl.read_csv(text.encode()).row(0, named=True)
    assert (out["who"], out["drawn"], out["verdict"]) == ('Ada "<b>" =1+1', "import", "yes")
    # The same table, out of one run and into another, says the same.
    before = annotations(at_desk.desk.opened.run)
    bring(at_desk.desk, "again.csv", text, who="bob")
    assert annotations(at_desk.desk.opened.run).drop("model_said").equals(before.drop("model_said"))


def test_who_brings_a_table_that_names_nobody_is_who_judged(at_desk):
    bring(at_desk.desk, "t.csv", "site_id,cell_id,classes\nplate_A01,1,inside\n", who="ann")
    assert at_desk.holds("row", "class", "verdict", "who") == [
        (0, "Negative", "no", "ann"),
        (0, "inside", "yes", "ann"),
    ]


def test_errors_name_the_file_of_the_visitor_and_no_folder_of_the_server(at_desk):
    with pytest.raises(PreflightError) as caught:
        bring(at_desk.desk, "/home/ann/v.csv", "site_id,cell_id,class,verdict\na,0,b,c\n", who="")
    assert str(caught.value).startswith("v.csv, line 2")
    with pytest.raises(UsageError, match="did not arrive whole"):
        bring(at_desk.desk, "v.parquet", "%%%", who="", coded=True)


def test_one_file_is_a_backup(at_desk, shown_run, tmp_path):
    at_desk.say([1, 2], "yes")
    at_desk.say([2], "no", who="bob")
    content = base64.b64encode(backup(at_desk.desk).read_bytes()).decode()
    other = AtDesk(Path(shutil.copytree(shown_run.run, tmp_path / "other.run")))
    found = bring(other.desk, "annotations.parquet", content, who="", coded=True)
    assert (found["verdicts"], found["cells"]) == (3, 2)
    assert annotations(other.desk.opened.run).equals(annotations(at_desk.desk.opened.run))
