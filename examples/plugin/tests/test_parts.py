"""The parts keep the contracts of cellwise, and give the numbers that they should."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from cellwise_example import asymmetric, class_counts, rows_columns
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits

from cellwise.errors import BadOption
from cellwise.stages.read.listing import list_folder
from cellwise.store.run.folder import RunFolder
from cellwise.testing import check_exporter, check_layout, check_loss


def test_the_loss_keeps_the_contract() -> None:
    check_loss(asymmetric.build)
    check_loss(asymmetric.build, present=1.0, absent=2.0, margin=0.2)


def test_a_present_label_without_power_has_its_cross_entropy() -> None:
    logits, targets = torch.linspace(-4, 4, 9)[:, None], torch.ones(9, 1)
    expected = binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(asymmetric.build()(logits, targets), expected)


def test_a_margin_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(BadOption, match="margin"):
        asymmetric.build(margin=1.0)


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    folder = tmp_path / "plate"
    folder.mkdir()
    for well in ("R01C01", "R02C03"):
        for channel in ("DNA", "GFP"):
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / f"{well}_F1_{channel}.png")
    return folder


def test_the_layout_keeps_the_contract_and_names_wells(plate: Path) -> None:
    check_layout(rows_columns.build, plate)
    found = rows_columns.arrange(list_folder(plate))
    assert {(one.site_id, one.channel) for one in found.planes} == {
        ("A01_1", "DNA"), ("A01_1", "GFP"), ("B03_1", "DNA"), ("B03_1", "GFP"),
    }  # fmt: skip


def test_another_folder_is_none_of_its_own(plate: Path) -> None:
    (plate / "R01C01_F1_DNA.png").rename(plate / "overview.png")
    assert rows_columns.recognise(list_folder(plate)) is None


def test_the_export_keeps_the_contract() -> None:
    check_exporter(class_counts.build)
    check_exporter(class_counts.build, above=0.9)


def test_cells_are_counted_from_the_stated_probability_on(tmp_path: Path) -> None:
    rows = {"site_id": ["b", "a", "b"], "Prob_Golgi": [0.5, 0.4, 0.9], "Prob_None": [0.2, 0.6, 0.1]}
    pl.DataFrame(rows).write_parquet(tmp_path / "predictions.parquet")
    class_counts.build()(RunFolder(tmp_path), tmp_path / "counts.csv")
    assert (tmp_path / "counts.csv").read_text().split() == [
        "site_id,cells,Golgi,None", "a,1,0,1", "b,2,2,0",
    ]  # fmt: skip
