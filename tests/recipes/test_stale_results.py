"""A smaller recipe in a finished folder must not leave predictions of other cells behind."""

import pytest
from tests.faults.fault_runs import cells, left_on_disk, run
from tests.worlds import labels, plate

from cellwise.errors import PreflightError

pytestmark = pytest.mark.slow

QUICK = ("train.epochs=1", "train.threads=1", "score.threads=1")


@pytest.mark.long
def test_results_of_steps_that_a_recipe_lacks_are_not_left_beside_other_cells(tmp_path):
    images, out = tmp_path / "images", tmp_path / "out.run"
    plate(images, 8)
    table = labels(tmp_path / "labels.csv", 8)
    run(images, out, *QUICK, recipe="plate-quick", labels=table)
    before = left_on_disk(out)
    other = ("segment.name=grid", "segment.tile=48")
    with pytest.raises(PreflightError, match=r"predictions\.parquet.*segment.*another --out"):
        run(images, out, *other, recipe="segment-only", labels=table)
    assert left_on_disk(out) == before
    for name in (
        "predictions*",
        "wells*",
        "metrics.json",
        "evaluation.json",
        "split.json",
        "folds*",
    ):
        for path in out.glob(name):
            path.unlink()
    assert run(images, out, *other, recipe="segment-only", labels=table).exit_code == 0
    assert not (out / "predictions.parquet").exists()
    assert cells(out).height != 72
