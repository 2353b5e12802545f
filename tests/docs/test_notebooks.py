"""Notebooks of tutorials run from their first cell to their last, and keep no outputs."""

import os
import re
import sys

import nbformat
import polars as pl
import pytest
from tests.docs.tutorial_pages import ROOT, TUTORIALS

import cellwise

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_no_outputs_and_its_page_names_it(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.outputs for cell in cells if cell.cell_type == "code")
    (page,) = [one for one in TUTORIALS if one.stem == path.stem]
    assert f"examples/notebooks/{path.name}" in page.read_text(encoding="utf-8")


def texts(cell):
    """What a code cell printed or showed as text, in one."""
    said = [output.get("text", "") for output in cell.outputs]
    shown = [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "".join([*said, *shown])


@pytest.fixture
def carried_out(tmp_path, monkeypatch):
    """A function that runs a notebook in an empty folder and gives its code cells."""
    client = pytest.importorskip("nbclient", reason="the extra dev is not here")
    command = tmp_path / ".bin" / "cellwise"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cellwise "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(command.parent), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))

    def carry_out(name):
        notebook = nbformat.read(ROOT / "examples" / "notebooks" / name, as_version=4)
        runner = client.NotebookClient(
            notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
        )
        return [cell for cell in runner.execute().cells if cell.cell_type == "code"]

    return carry_out


@pytest.mark.slow
@pytest.mark.long
def test_field_labels_to_cells(carried_out, tmp_path):
    cells = carried_out("field-labels-to-cells.ipynb")
    assert "features-quick" in texts(cells[1])
    # The table of figures, and the outlined field as an image.
    (found,) = re.findall(r"cells_found_60\s*┆\s*([\d.]+)", texts(cells[4]))
    assert float(found) > 0.9
    assert "image/png" in cells[5].outputs[0]["data"]
    rows = cellwise.open_run(tmp_path / "world.run").cells
    claimed = rows.filter(pl.col("Weak_labels").list.contains("Nucleoplasm"))
    lowest = float(claimed["Prob_Nucleoplasm"].to_numpy().min())
    assert f"{lowest:.6f}"[:6] in texts(cells[3])


@pytest.mark.slow
@pytest.mark.long
def test_correct_and_learn_again(carried_out, tmp_path):
    cells = carried_out("correct-and-learn-again.ipynb")
    judged = pl.read_csv(tmp_path / "verdicts.csv")
    (others, theirs) = re.findall(r"│ (?:false|true)\s*┆ (\d+)\s*┆ ([\d.e-]+)", texts(cells[-1]))
    total = cellwise.open_run(tmp_path / "world.run").cells.height
    assert int(theirs[0]) == judged.height
    assert int(others[0]) + int(theirs[0]) == total
    assert float(theirs[1]) > 0
