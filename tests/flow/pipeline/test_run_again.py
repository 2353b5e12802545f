"""The same command again does only what has changed, and says what made it necessary."""

import os
import shutil

import pytest
from tests.faults.fault_runs import Heard, cells, left_on_disk, record, run, states
from tests.worlds import field, labels, plate, save, wells

from cellwise.errors import Interrupted

STEPS = ["read", "segment", "cells"]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    home = tmp_path_factory.mktemp("again")
    plate(home / "images", 4)
    run(home / "images", home / "out.run")
    return home


@pytest.fixture
def home(first, tmp_path):
    """A plate with its run, which a test may change."""
    shutil.copytree(first, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def images(home):
    return home / "images"


@pytest.fixture
def out(home):
    return home / "out.run"


def again(images, out, *settings, **options):
    heard = Heard()
    run(images, out, *settings, listener=heard, **options)
    return heard


def test_nothing_changed_and_nothing_is_done(images, out):
    before = left_on_disk(out)
    heard = again(images, out)
    assert heard.reused == STEPS
    assert set(states(out).values()) == {"reused"}
    assert left_on_disk(out) == before


def test_a_setting_of_cells_leaves_the_masks_alone(images, out):
    heard = again(images, out, "cells.size=20")
    assert heard.why == {"cells": "size: 24 -> 20; 4 changed"}
    assert heard.reused == ["read", "segment"]


def test_a_setting_of_segment_does_segment_and_cells(images, out):
    heard = again(images, out, "segment.name=grid")
    assert heard.reused == ["read"]
    assert heard.total == {"segment": 4, "cells": 4}
    assert "name: watershed -> grid" in heard.why["segment"]
    assert heard.why["cells"] == "4 changed"


def test_another_seed_segments_nothing_anew(images, out):
    assert again(images, out, seed=5).reused == STEPS


def test_another_number_of_workers_does_nothing_anew(images, out):
    assert again(images, out, workers=2).reused == STEPS


def test_a_touched_image_costs_its_site(images, out):
    os.utime(images / "A02_GFP.png", ns=(1, 1))
    heard = again(images, out)
    assert heard.total == {"read": 0, "segment": 1, "cells": 1}
    assert heard.why == {
        "read": "its input changed",
        "segment": "1 changed",
        "cells": "1 changed",
    }


def test_a_new_site_costs_itself(images, out):
    before = cells(out)
    field(images, "A05", 4)
    heard = again(images, out)
    assert heard.total == {"read": 0, "segment": 1, "cells": 1}
    assert heard.why["segment"] == heard.why["cells"] == "1 new"
    assert cells(out).filter(~(cells(out)["site_id"] == "A05")).equals(before)


def test_a_site_that_is_gone_takes_its_rows_along(images, out):
    for path in images.glob("A02_*"):
        path.unlink()
    heard = again(images, out)
    assert heard.total == {"read": 0}
    assert set(cells(out)["site_id"]) == {"A01", "A03", "A04"}
    assert states(out) == dict.fromkeys(STEPS, "done")
    assert record(out)["counts"]["sites"] == 3


def test_a_site_that_comes_back_needs_no_work(images, out, tmp_path):
    before = left_on_disk(out)
    for path in images.glob("A02_*"):
        shutil.move(path, tmp_path / path.name)
    again(images, out)
    for path in tmp_path.glob("A02_*"):
        shutil.move(path, images / path.name)
    heard = again(images, out)
    assert "segment" not in heard.total
    assert left_on_disk(out) == before


def test_a_change_behind_a_link_to_a_folder_is_seen(tmp_path):
    plate(tmp_path / "elsewhere", 2)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "plate1").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    out = tmp_path / "out.run"
    run(tmp_path / "images", out)
    field(tmp_path / "elsewhere", "A03", 2)
    os.utime(tmp_path / "elsewhere" / "A01_DNA.png", ns=(1, 1))
    heard = again(tmp_path / "images", out)
    assert heard.total == {"read": 0, "segment": 2, "cells": 2}


def test_the_labels_count_by_their_content(images, out, tmp_path):
    file = labels(tmp_path / "labels.csv", 4)
    assert again(images, out, labels=file).reused == ["segment", "cells"]
    other = shutil.copy(file, tmp_path / "other.csv")
    os.utime(other, ns=(1, 1))
    assert again(images, out, labels=other).reused == STEPS
    file.write_text(file.read_text().replace("A02,Negative", "A02,"))
    assert again(images, out, labels=file).reused == ["segment", "cells"]


@pytest.mark.parametrize(
    ("lost", "steps"),
    [("A02_cells.tif", {"segment": 1}), ("A03_nuclei.tif", {"segment": 1})],
)
def test_a_mask_that_is_gone_is_made_again(images, out, lost, steps):
    before = left_on_disk(out)
    (out / "masks" / lost).unlink()
    heard = again(images, out)
    assert heard.total == steps
    assert heard.why == {"segment": "1 missing"}
    assert left_on_disk(out) == before


def test_a_cell_table_that_is_gone_is_merged_again(images, out):
    before = left_on_disk(out)
    (out / "cells.parquet").unlink()
    again(images, out)
    assert states(out) == {"read": "reused", "segment": "reused", "cells": "done"}
    assert left_on_disk(out) == before


def test_moved_images_need_no_work(home, images, out):
    images.rename(home / "moved")
    assert again(home / "moved", out).reused == STEPS


def test_own_masks_count_by_what_lies_in_their_folder(images, out, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for well in wells(4):
        for what in ("cells", "nuclei"):
            shutil.copy(out / "masks" / f"{well}_{what}.tif", masks)
    assert again(images, out, masks=masks).reused == ["read"]
    assert again(images, out, masks=masks).reused == STEPS
    os.utime(masks / "A01_cells.tif", ns=(1, 1))
    assert "segment" in again(images, out, masks=masks).total


def test_another_common_set_of_channels_measures_all_again(images, out):
    for number, well in enumerate(wells(4)):
        save(
            images / f"{well}_RFP.png", (images / "A01_DNA.png").stat().st_size % 7 * _plane(number)
        )
    heard = again(images, out)
    assert heard.total["cells"] == 4
    assert any("RFP" in name for name in cells(out).columns)


def _plane(number):
    from tests.worlds import draw

    return draw(number)[0] // 8


def test_rows_of_earlier_settings_are_not_new_ones(home, images, out, tmp_path, monkeypatch):
    """Killed after sites were recorded and before the merge, and its temporary files deleted."""
    # Without crops only the rows tell what the settings were.
    settings = ("cells.crops=false", "segment.name=grid")
    shutil.copytree(home, tmp_path / "twin")
    twin = tmp_path / "twin"
    run(twin / "images", twin / "out.run", *settings)

    def killed(job, finished):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cellwise.stages.cells.step.finish", killed)
        with pytest.raises(Interrupted):
            again(images, out, *settings)
    shutil.rmtree(out / "work")
    again(images, out, *settings)
    assert cells(out).equals(cells(twin / "out.run"))
    assert "shard" not in cells(out).columns
