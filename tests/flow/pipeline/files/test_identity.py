"""A file counts as changed where its content is another, whatever its name, size and times say."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faults.fault_runs import Heard, run
from tests.worlds import draw, save

from cellwise.domain.specs import Content
from cellwise.domain.tables import KNOWN_FILES
from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.files import identity, same_content
from cellwise.flow.pipeline.files.identity import learn, recognise, remember
from cellwise.flow.pipeline.files.listed import list_files
from cellwise.flow.pipeline.state import State
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

WHEN = (1_600_000_000_000_000_000,) * 2
PLACES = ("p1/A01", "p1/A02", "p2/A01", "p2/A02")


def dated(path):
    os.utime(path, ns=WHEN)
    return path


def exchange(one, other):
    spare = one.with_name("spare")
    one.rename(spare), other.rename(one), spare.rename(other)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Four fields whose files have one size and one time, a run of them, and masks for two."""
    home = tmp_path_factory.mktemp("identity")
    for seed, place in enumerate(PLACES):
        for channel, plane in zip(("DNA", "GFP"), draw(seed, size=64), strict=True):
            dated(save(home / "images" / f"{place}_{channel}.tif", plane))
    run(home / "images", home / "out.run")
    return home


@pytest.fixture
def home(first, tmp_path):
    """The same run in its place: what a test does to the folder is done to a run that knows it."""
    shutil.copytree(first, tmp_path / "home")
    again(tmp_path / "home")
    return tmp_path / "home"


def again(home, **options):
    heard = Heard()
    run(home / "images", home / "out.run", listener=heard, **options)
    return heard


def cells(home):
    frame = pl.read_parquet(home / "out.run" / "cells.parquet")
    return {
        site: frame.filter(pl.col("site_id") == site).select("x", "y", "area").rows()
        for site in frame["site_id"].unique().to_list()
    }


def looks(monkeypatch):
    """The files that are opened from here on to compare their content."""
    seen = []
    plain = same_content.hash_of

    def noted(path):
        seen.append(path)
        return plain(path)

    for module in (identity, same_content):
        monkeypatch.setattr(module, "hash_of", noted)
    return seen


def test_a_copy_is_looked_at_once_and_nothing_is_done_again(home, tmp_path, monkeypatch):
    shutil.copytree(home, tmp_path / "copy")
    seen = looks(monkeypatch)
    assert again(tmp_path / "copy").reused == ["read", "segment", "cells"]
    assert len(seen) == 8
    assert again(tmp_path / "copy").reused == ["read", "segment", "cells"]
    assert len(seen) == 8


def test_a_copy_with_fields_that_are_set_aside_is_not_read_anew(home, tmp_path):
    (home / "images/p2/A02_GFP.tif").unlink()
    path = home / "images/p2/A01_DNA.tif"
    dated(save(path, np.zeros((64, 64), np.uint8)))
    path.write_bytes(path.read_bytes()[:-50])
    again(home)
    shutil.copytree(home, tmp_path / "copy")
    assert again(tmp_path / "copy").reused == ["read", "segment", "cells"]


def test_a_moved_run_with_its_folder_is_not_even_looked_at(home, tmp_path, monkeypatch):
    home.rename(tmp_path / "moved")
    seen = looks(monkeypatch)
    assert again(tmp_path / "moved").reused == ["read", "segment", "cells"]
    assert seen == []


@pytest.mark.parametrize("remembered", [True, False], ids=["remembered", "of an older run"])
def test_exchanged_names_are_noticed(home, remembered):
    before = cells(home)
    if not remembered:
        (home / "out.run/done/files.parquet").unlink()
    for channel in ("DNA", "GFP"):
        exchange(home / f"images/p1/A01_{channel}.tif", home / f"images/p1/A02_{channel}.tif")
    heard = again(home)
    assert heard.total["segment"] == 2
    assert any("4 files have another content" in text for text in heard.before_work)
    after = cells(home)
    one, two, *others = sorted(before)
    assert after == before | {one: before[two], two: before[one]}
    assert len(others) == 2
    assert again(home).reused == ["read", "segment", "cells"]


def test_exchanged_folders_are_noticed(home):
    before = cells(home)
    exchange(home / "images/p1", home / "images/p2")
    assert again(home).total["segment"] == 4
    after = cells(home)
    one, two, three, four = sorted(before)
    assert [after[site] for site in (one, two, three, four)] == [
        before[site] for site in (three, four, one, two)
    ]


def test_an_edit_whose_time_was_set_back_costs_its_site(home):
    path = home / "images/p1/A02_GFP.tif"
    content = bytearray(path.read_bytes())
    content[-40] ^= 32
    path.write_bytes(content)
    dated(path)
    assert again(home).total["segment"] == 1


def test_links_and_rights_cost_a_look_and_no_work(home, monkeypatch):
    path = home / "images/p1/A01_DNA.tif"
    os.link(path, home / "another name")
    (home / "images/p1/A02_DNA.tif").chmod(0o600)
    seen = looks(monkeypatch)
    assert again(home).reused == ["read", "segment", "cells"]
    assert len(seen) == 2


def test_places_that_change_by_themselves_are_asked_once(home, monkeypatch):
    file = home / "out.run/done/files.parquet"

    def remount():
        """As a network disk that numbers its files anew."""
        known = read_table(file, KNOWN_FILES)
        moved = known.with_columns(inode=pl.col("inode") + 1)
        write_table(file, KNOWN_FILES, moved)

    seen = looks(monkeypatch)
    remount()
    assert again(home).reused == ["read", "segment", "cells"]
    assert len(seen) == 8
    remount()
    assert again(home).reused == ["read", "segment", "cells"]
    assert len(seen) == 8


def test_what_comes_back_is_compared_with_what_was_there(home):
    kept = home / "kept"
    kept.mkdir()
    for path in (home / "images/p2").iterdir():
        path.rename(kept / path.name)
    again(home)
    for path in kept.iterdir():
        shutil.copy2(path, home / "images/p2" / path.name)
    heard = again(home)
    assert "segment" not in heard.total
    for path in (home / "images/p2").iterdir():
        path.unlink()
    again(home)
    for channel in ("DNA", "GFP"):
        shutil.copy2(home / f"images/p1/A01_{channel}.tif", home / f"images/p2/A01_{channel}.tif")
    assert again(home).total["segment"] == 1


def test_files_of_several_channels_are_told_apart(tmp_path):
    for seed, name in enumerate(("A01", "A02")):
        planes = np.stack(draw(seed, size=64, nuclear=True))
        path = tmp_path / f"images/{name}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, planes, metadata={"axes": "CYX"}, photometric="minisblack")
        dated(path)
    run(tmp_path / "images", tmp_path / "out.run", "read.roles.ch1=nucleus")
    before = cells(tmp_path)
    exchange(tmp_path / "images/A01.tif", tmp_path / "images/A02.tif")
    heard = Heard()
    run(tmp_path / "images", tmp_path / "out.run", "read.roles.ch1=nucleus", listener=heard)
    assert heard.total["segment"] == 2
    assert cells(tmp_path) == {"A01": before["A02"], "A02": before["A01"]}


def test_exchanged_masks_are_noticed_and_copied_ones_are_not_taken_anew(home, tmp_path):
    masks, out = home / "masks", tmp_path / "given.run"
    masks.mkdir()
    for number, name in enumerate(("A01", "A02")):
        labels = np.zeros((64, 64), np.uint16)
        labels[4 + 30 * number : 24 + 30 * number, 8:40] = 1
        dated(save(masks / f"{name}.tif", labels))
    shutil.rmtree(home / "images/p2")

    def given():
        heard = Heard()
        run(home / "images", out, listener=heard, masks=masks, recipe="segment-only")
        frame = pl.read_parquet(out / "cells.parquet")
        return heard, frame["y"].to_list()

    _, before = given()
    shutil.copytree(masks, home / "copied")
    shutil.rmtree(masks)
    (home / "copied").rename(masks)
    heard, middles = given()
    assert heard.total == {}
    assert middles == before
    exchange(masks / "A01.tif", masks / "A02.tif")
    heard, middles = given()
    assert heard.total["segment"] == 2
    assert middles == before[::-1] != before


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["exchange", "rewrite", "copy", "link", "touch", "remove"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=4,
)


@given(before=_CHANGES, after=_CHANGES)
@settings(max_examples=40, deadline=None)
def test_a_folder_counts_as_it_was_just_where_each_file_holds_what_it_held(
    tmp_path_factory, before, after
):
    home = tmp_path_factory.mktemp("kind")
    folder = home / "masks"
    folder.mkdir()
    for number in range(4):
        dated(_written(folder / f"{number}.png", number))
    _play(folder, before)
    first = _digest(home)
    held = _held(folder)
    _play(folder, after)
    assert (_digest(home) == first) == (_held(folder) == held)


def _written(path, number):
    path.write_bytes(b"%04d" % number)
    return path


def _play(folder, changes):
    for what, one, other in changes:
        path, second = folder / f"{one}.png", folder / f"{other}.png"
        if not path.exists():
            continue
        if what == "exchange" and second.exists() and one != other:
            exchange(path, second)
        elif what == "rewrite":
            dated(_written(path, other))
        elif what == "copy":
            shutil.copy2(path, folder / "copy")
            (folder / "copy").replace(path)
        elif what == "link":
            path.with_suffix(".link").unlink(missing_ok=True)
            os.link(path, folder.parent / f"{one}-{len(list(folder.parent.iterdir()))}")
        elif what == "touch":
            os.utime(path, ns=(5 + other, 5 + other))
        elif what == "remove":
            path.unlink()


def _held(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def _digest(home: Path) -> str:
    """What the folder counts by, as a run that went before remembers it."""
    content = SimpleNamespace(contents=[Content("masks", "folder")])
    step: Any = SimpleNamespace(
        title="segment", options={"masks": str(home / "masks")}, spec=content
    )
    (home / "images").mkdir(exist_ok=True)
    request: Any = SimpleNamespace(
        recipe=SimpleNamespace(steps=[step]), folder=home / "images", workers=1
    )
    engine: Any = None
    state = State(request, Silent(), RunFolder(home / "out.run"), engine)
    recognise(state, list_files(home / "images"))
    remember(state)
    learn(state)
    return state.folders[str(home / "masks")]
