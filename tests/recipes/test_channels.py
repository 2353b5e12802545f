"""Plates with other channels than the demo's."""

import pytest
from tests.plates import QUICK, treated, write_labels
from tests.worlds import draw, save, wells

import cellwise

pytestmark = pytest.mark.long


@pytest.mark.slow
def test_a_plate_without_a_protein_channel_has_no_negative_control(tmp_path):
    names = wells(8)
    for number, well in enumerate(names):
        dna, other = draw(number, nuclear=treated(well))
        save(tmp_path / "images" / f"{well}_dna.png", dna)
        save(tmp_path / "images" / f"{well}_mito.png", other)
    write_labels(tmp_path / "labels.csv", names)
    run = cellwise.run(
        tmp_path / "images", labels=tmp_path / "labels.csv", out=tmp_path / "run", settings=QUICK
    )
    assert run.metrics["well_macro_ap"]["value"] == 1.0
    assert not (run.path / "predictions_control.parquet").exists()
    assert "mito" in (run.path / "report.html").read_text()
